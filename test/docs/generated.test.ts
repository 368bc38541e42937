import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate, stale } from '../../contrib/generate.ts';
import { PROPERTIES } from '../../src/core/properties/table.ts';

const CONTRIB = resolve(import.meta.dirname, '../../contrib');
const PAGES = ['slicectl.1', 'slicectl-run.1'];

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Why a test is skipped, for its title. */
const without = (...programs: string[]): string => {
  const absent = programs.filter((program) => !has(program));
  return absent.length === 0 ? '' : ` (not installed: ${absent.join(', ')})`;
};

it('no generated file is out of date', () => {
  expect(stale()).toEqual([]);
});

it('every limit is in the list and in the man page', () => {
  const files = generate();
  for (const { name } of PROPERTIES) {
    expect(files.get('docs/limits.md')).toContain(`| \`${name}\` |`);
    expect(files.get('contrib/man/slicectl-run.1')).toContain(`${name}=`);
  }
});

describe('man pages', () => {
  it.skipIf(!has('mandoc')).each(PAGES)(`%s passes mandoc -T lint${without('mandoc')}`, (page) => {
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', join(CONTRIB, 'man', page)], { encoding: 'utf8' });
    expect(stdout).toBe('');
  });

  it.skipIf(!has('groff') || !has('man')).each(PAGES)(`%s passes man --warnings${without('groff', 'man')}`, (page) => {
    const { stderr, stdout } = spawnSync('man', ['-l', '--warnings', join(CONTRIB, 'man', page)], {
      encoding: 'utf8',
      env: { ...process.env, MANPAGER: 'cat', MANWIDTH: '80', LC_ALL: 'C.UTF-8' },
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('EXIT STATUS');
  });
});

describe.skipIf(!has('bash'))(`bash completion${without('bash')}`, () => {
  let config: string;
  beforeAll(() => {
    config = mkdtempSync(join(tmpdir(), 'slicectl-completion-'));
    mkdirSync(join(config, 'slicectl/profiles'), { recursive: true });
    writeFileSync(join(config, 'slicectl/profiles/nightly.ini'), 'MemoryMax=1G\n');
  });
  afterAll(() => rmSync(config, { recursive: true }));

  /** What bash offers for a line whose words it has cut, the last one being completed. */
  function offered(...words: readonly string[]): string[] {
    const script = `source "$1"; shift
      [[ $(complete -p slicectl) == 'complete -F _slicectl slicectl' ]] || exit 9
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _slicectl; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ['--norc', '-c', script, 'bash', join(CONTRIB, 'completion/slicectl.bash'), ...words];
    const env = { ...process.env, XDG_CONFIG_HOME: config };
    return execFileSync('bash', args, { encoding: 'utf8', env })
      .split('\n')
      .filter((line) => line !== '');
  }

  it.each([
    [
      ['slicectl', ''],
      ['run', 'history', 'undo', 'resume', 'sweep', 'driver', 'cpus', 'help'],
    ],
    [['slicectl', '--v'], ['--version']],
    [['slicectl', 'run', '--mem'], ['--memory']],
    [
      ['slicectl', 'run', '-p', 'CPU'],
      ['CPUQuota=', 'CPUQuotaPeriodSec=', 'CPUWeight='],
    ],
    [['slicectl', 'run', '--property', '=', 'Tasks'], ['TasksMax=']],
    [['slicectl', 'run', '--profile', 'night'], ['nightly']],
    [
      ['slicectl', 'run', '--backend', 'cgroup'],
      ['cgroup-v2', 'cgroup-v1'],
    ],
    [['slicectl', 'run', '--backend', '=', 'sys'], ['systemd']],
    [['slicectl', 'run', '--memory', '=', '1G', '--lim'], ['--limits-env']],
    [['slicectl', 'run', '-p', 'MemoryMax', '=', '1G', '--lim'], ['--limits-env']],
    [['slicectl', 'run', '--uid', 'roo'], ['root']],
    [['slicectl', 'run', '--', '/etc/os-rel'], ['/etc/os-release']],
    [['slicectl', 'run', 'true', '--mem'], []],
    [['slicectl', 'sweep', '--j'], ['--json']],
    [
      ['slicectl', 'driver', ''],
      ['status', 'align', 'check'],
    ],
    [['slicectl', 'driver', 'align', '--dra'], ['--drained']],
    [['slicectl', 'driver', 'align', '--to', 'sys'], ['systemd']],
    [['slicectl', 'driver', 'check', '--expect', '=', 'cg'], ['cgroupfs']],
    [
      ['slicectl', 'cpus', ''],
      ['show', 'reserve', 'release', 'apply', 'audit'],
    ],
    [
      ['slicectl', 'cpus', 'reserve', '--partition', ''],
      ['root', 'isolated'],
    ],
    [['slicectl', 'cpus', 'audit', '--mea'], ['--measure']],
    [['slicectl', 'undo', '--dr'], ['--dry-run']],
  ])('offers for %j %j', (words, answer) => {
    expect(offered(...words)).toEqual(answer);
  });
});

describe('other shells', () => {
  it.skipIf(!has('zsh'))(`zsh can read its completion${without('zsh')}`, () => {
    expect(spawnSync('zsh', ['-n', join(CONTRIB, 'completion/_slicectl')], { encoding: 'utf8' }).stderr).toBe('');
  });

  it.skipIf(!has('fish'))(`fish offers options, properties and commands${without('fish')}`, () => {
    const script = `source ${join(CONTRIB, 'completion/slicectl.fish')}
      for line in 'slicectl run --mem' 'slicectl run -p TasksM' 'slicectl run --memory 1G -- tru' \
          'slicectl driver ali' 'slicectl driver align --dra'
        complete -C $line | head -n 1
      end`;
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual([
      '--memory',
      'TasksMax=',
      'true',
      'align',
      '--drained',
      '',
    ]);
  });
});
