import { chmodSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bash, groupsOf, NO_JOBS, scratch, slicectl } from './run-support.ts';

const NOT_ROOT = process.getuid?.() === 0 ? undefined : 'needs root';

/** What is given to `slicectl run` in front of `-- true`, and what the sentence must name: the value and the way out. */
const REFUSED: readonly (readonly [args: readonly string[], ...names: string[]])[] = [
  [['--nosuch'], '--nosuch', '--help'],
  [['--memoy', '1G'], '--memoy', '--memory'],
  [['-p', 'MemoryMx=1G'], 'MemoryMx', 'MemoryMax'],
  [['-p', 'MemoryMax'], 'MemoryMax', '='],
  [['--cpus', '999'], '999', 'CPUs'],
  [['--memory', '1g'], '1g', '1G'],
  [['--memory', 'abc'], 'abc', '512M'],
  [['--cpu', '0'], '"0"', '1m'],
  [['--tasks', '0'], '0', '1 to'],
  [['--nice', '99'], '99', '-20'],
  [['--nice', 'low'], 'low', '-20'],
  [['--setenv', '1A=b'], '1A=b', 'NAME=value'],
  [['--working-directory', '/nonexistent'], '/nonexistent', 'make it'],
  [['--uid', 'nobodyxyz'], 'nobodyxyz', 'getent'],
  [['--gid', 'nobodyxyz'], 'nobodyxyz', 'getent'],
  [['--unit', 'a@b'], 'a@b', '@'],
  [['--slice', 'foo'], 'foo', 'foo.slice'],
  [['--profile', 'nosuch'], 'nosuch', 'MemoryMax=1G'],
  [['--receipt', 'xml'], 'xml', 'json'],
  [['--backend', 'cgroup-v9'], 'cgroup-v9', 'cgroup-v1'],
  [['--user', '--system'], '--user', 'one of them'],
  [['--weight', '100', '--cpu-request', '1'], '--weight', '--cpu-request', 'one of them'],
  [['--json', '--receipt', 'text'], '--receipt text', 'one of them'],
  [['--wait'], '--wait', '--service'],
  [['--receipt-file', '/nonexistent/receipt'], '/nonexistent/receipt', 'another file'],
  [['--receipt-file', '/dev/fd/8'], '/dev/fd/8', '8>'],
];

describe.skipIf(NO_JOBS)(`what slicectl run refuses${NO_JOBS ? ` (${NO_JOBS})` : ''}`, () => {
  it.each(REFUSED)('%j in one sentence, with nothing run and nothing left', (args, ...names) => {
    using folder = scratch();
    const ran = folder.file('ran');
    if ((args.includes('--uid') || args.includes('--gid')) && NOT_ROOT) return;
    const { status, stderr, stdout, pid } = slicectl(['run', ...args, '--', 'touch', ran]);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^slicectl: [^\n]+\n$/);
    expect(stderr).not.toMatch(/ {4}at |\.(?:js|ts):\d/);
    for (const name of names) expect(stderr).toContain(name);
    expect(status).toBe(125);
    expect(groupsOf(pid)).toEqual([]);
    expect(bash(`ls ${ran}`).status).not.toBe(0);
  });

  it('a command that is not there (127) or cannot be executed (126)', () => {
    using folder = scratch();
    const put = (name: string, text: string, mode: number): string => {
      writeFileSync(folder.file(name), text);
      chmodSync(folder.file(name), mode);
      return folder.file(name);
    };
    const cases: readonly (readonly [command: string, status: number, text: string])[] = [
      ['nosuchcommand', 127, 'nosuchcommand'],
      [folder.file('absent'), 127, 'absent'],
      [folder.path, 126, 'folder'],
      [put('plain', 'echo hi\n', 0o644), 126, 'chmod +x'],
      [put('orphan', '#!/no/such/interpreter\n', 0o755), 126, '/no/such/interpreter'],
      [put('windows', '#!/bin/sh\r\necho hi\r\n', 0o755), 126, 'CR'],
    ];
    for (const [command, status, text] of cases) {
      const outcome = slicectl(['run', '--', command]);
      expect(outcome.stderr).toMatch(/^slicectl: [^\n]+\n$/);
      expect(outcome.stderr).toContain(text);
      expect(outcome.status).toBe(status);
      expect(groupsOf(outcome.pid)).toEqual([]);
    }
  });

  it('a fault of a profile by its file and line', () => {
    using folder = scratch();
    writeFileSync(folder.file('p.ini'), 'MemoryMax=1G\nMemoryMx=2G\n');
    const { status, stderr } = slicectl(['run', '--profile', folder.file('p.ini'), 'true']);
    expect(stderr).toMatch(/^slicectl: [^\n]*p\.ini:2[^\n]*MemoryMax[^\n]*\n$/);
    expect(status).toBe(125);
  });

  it('no command at all', () => {
    const { status, stderr } = slicectl(['run', '--memory', '1G']);
    expect(stderr).toMatch(/^slicectl: [^\n]*command[^\n]*\n$/);
    expect(status).toBe(125);
  });

  it('a receipt file that is a symbolic link, and leaves one that is there as it was', () => {
    using folder = scratch();
    writeFileSync(folder.file('old'), 'kept');
    const { stderr, status } = bash(`cd ${folder.path}; ln -s old link; $SLICECTL run --receipt-file link touch ran`);
    expect(stderr).toMatch(/^slicectl: [^\n]*link[^\n]*\n$/);
    expect(status).toBe(125);
    bash(
      `cd ${folder.path}; $SLICECTL run --receipt-file old --cpus 999 touch ran; $SLICECTL run --receipt-file new nosuch`,
    );
    expect(bash(`cd ${folder.path}; cat old; ls`).stdout).toBe('keptlink\nold\n');
  });

  it.each([
    ['when it is met at once', 'throw new Error("broken\\nin two")'],
    ['when nobody awaits it', 'setTimeout(() => { throw new Error("broken in two") }); return []'],
  ])('a fault of its own in one sentence that asks for a report, %s', (_, body) => {
    const sabotage = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
      const { readdirSync } = fs; 
      fs.readdirSync = (...args) => { if (args[0] !== '/proc/self/fd') return readdirSync(...args); ${body} };
      syncBuiltinESMExports();`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(sabotage)}`;
    const run = (SLICECTL_DEBUG: string) =>
      slicectl(['run', 'sleep', '1'], { env: { ...process.env, NODE_OPTIONS, SLICECTL_DEBUG } });
    const { status, stderr } = run('');
    expect(stderr).toMatch(/^slicectl: [^\n]*fault[^\n]*broken in two[^\n]*report[^\n]*\n$/);
    expect(status).toBe(125);
    expect(run('1').stderr).toMatch(/\n {4}at /);
  });

  it.skipIf(NOT_ROOT)('--uid for a caller who is not root', () => {
    const { status, stderr } = bash('setpriv --reuid=65534 --clear-groups $SLICECTL run --uid 0 -- id');
    expect(stderr).toMatch(/^slicectl: [^\n]+\n$/);
    expect(status).toBe(125);
  });
});

describe('slicectl without a job', () => {
  it('prints its help on stderr with status 2 when nothing is asked', () => {
    const { status, stdout, stderr } = slicectl([]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^Usage: slicectl/);
  });

  it.each([[['--help']], [['run', '--help']], [['help', 'run']]])('%j prints help on stdout', (args) => {
    const { status, stdout, stderr } = slicectl(args);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: slicectl/);
  });

  it('prints its version', () => {
    expect(slicectl(['--version'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it('suggests the nearest subcommand', () => {
    const { status, stderr } = slicectl(['swep']);
    expect(stderr).toMatch(/^slicectl: [^\n]*swep[^\n]*sweep[^\n]*\n$/);
    expect(status).toBe(2);
  });
});
