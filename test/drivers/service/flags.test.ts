// biome-ignore-all lint/suspicious/noTemplateCurlyInString: systemd's own syntax
import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { readServiceCommand } from '../../../src/drivers/service/command.ts';
import { findFlags } from '../../../src/drivers/service/flags.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import type { ServiceCase } from '../../fixtures/service/cases.ts';
import { makeTree } from '../../fixtures/service/tree.ts';

const UNIT = '/etc/systemd/system/docker.service';

let root = '';
afterEach(() => rmSync(root, { recursive: true, force: true }));

function command(files: ServiceCase['files']) {
  root = makeTree(files);
  const read = readServiceCommand(new RootTree(root), 'docker.service');
  if (read === undefined) throw new Error('no such unit');
  return read;
}

const started = (line: string, ...settings: string[]) =>
  command({ [UNIT]: ['[Service]', ...settings, `ExecStart=${line}`, ''].join('\n') });

describe('uses of an option', () => {
  it.each([
    [
      '--exec-opt a=1 x --exec-opt=b=2',
      [
        ['--exec-opt', 'a=1', [1, 2]],
        ['--exec-opt', 'b=2', [4]],
      ],
    ],
    [
      '-H fd:// -Htcp://x -H=y',
      [
        ['-H', 'fd://', [1, 2]],
        ['-H', 'tcp://x', [3]],
        ['-H', 'y', [4]],
      ],
    ],
    ['--exec-opts x --exec-opt', [['--exec-opt', '', [3]]]],
    ['--exec-opt= x', [['--exec-opt', '', [1]]]],
    ['a -- --exec-opt b', []],
    ['–exec-opt b', []],
  ])('are found in %j', (args, uses) => {
    const found = findFlags(started(`/usr/bin/dockerd ${args}`), ['--exec-opt', '-H']);
    expect(found.map(({ name, value, words }) => [name, value, words])).toEqual(uses);
  });

  it('say where their value is written', () => {
    const files = {
      [UNIT]:
        '[Service]\nEnvironment="D=--exec-opt b"\nEnvironmentFile=/etc/default/docker\nExecStart=/usr/bin/dockerd \\\n --exec-opt a $D $OPTS\n',
      '/etc/default/docker': '# options\nOPTS="-D --exec-opt c"\n',
    };
    expect(findFlags(command(files), ['--exec-opt']).map(({ source }) => source)).toEqual([
      { kind: 'flag', path: UNIT, line: 5, column: 13, text: 'ExecStart=' },
      { kind: 'environment', path: UNIT, line: 2, column: 27, text: 'D in Environment=' },
      {
        kind: 'environment',
        path: '/etc/default/docker',
        line: 2,
        column: 21,
        text: 'OPTS in EnvironmentFile= /etc/default/docker',
      },
    ]);
  });
});

describe('a shell that is started with a script', () => {
  const script = "/bin/sh -c 'exec /usr/bin/dockerd \\\n   $OPTIONS --exec-opt=a=1 2>&1 | logger'";

  it('is a problem, and uses of options in it are uncertain', () => {
    const read = started(script, 'Environment="OPTIONS=-D --exec-opt b=2"');
    expect(read.wrapper).toBe(true);
    expect(read.problems).toContainEqual(expect.objectContaining({ code: 'service-wrapper', path: UNIT, line: 3 }));
    const uses = findFlags(read, ['--exec-opt']);
    expect(uses.map(({ value, uncertain, source }) => [value, uncertain, source.line])).toEqual([
      ['b=2', true, 2],
      ['a=1', true, 3],
    ]);
  });

  it.each(['/bin/bash -lc "exec dockerd"', '/usr/bin/dash -ec "dockerd -D"'])('is seen in %j', (line) => {
    expect(started(line).wrapper).toBe(true);
  });

  it.each(['/usr/bin/dockerd -c x', '/bin/sh /opt/start.sh'])('is not seen in %j', (line) => {
    expect(started(line).wrapper).toBe(false);
  });
});

describe('a unit that systemd would not start', () => {
  it.each<[string, ServiceCase['files'], string]>([
    ['masked', { [UNIT]: { link: '/dev/null' } }, 'service-masked'],
    ['two commands', { [UNIT]: '[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n' }, 'service-several-commands'],
    [
      'a drop-in without a reset',
      { [UNIT]: '[Service]\nType=notify\nExecStart=/bin/a\n', [`${UNIT}.d/x.conf`]: '[Service]\nExecStart=/bin/b\n' },
      'service-several-commands',
    ],
    ['no command', { [UNIT]: '[Unit]\nDescription=x\n' }, 'service-no-command'],
    ['an open quote', { [UNIT]: '[Service]\nExecStart=/bin/a "b\n' }, 'service-bad-command'],
    [
      'a missing file',
      { [UNIT]: '[Service]\nEnvironmentFile=/etc/x\nExecStart=/bin/a\n' },
      'service-environment-file-missing',
    ],
    ['a variable for its program', { [UNIT]: '[Service]\nExecStart=${DOCKERD} -D\n' }, 'service-program-variable'],
  ])('has an error that says why: %s', (_, files, code) => {
    const errors = command(files).problems.filter(({ severity }) => severity === 'error');
    expect(errors).toContainEqual(expect.objectContaining({ code }));
  });

  it('is none where no file names it', () => {
    root = makeTree({ [`${UNIT}.d/x.conf`]: '[Service]\nExecStart=/bin/b\n' });
    expect(readServiceCommand(new RootTree(root), 'docker.service')).toBeUndefined();
  });
});

describe('a unit of a user', () => {
  it("is read from the user's folders, specifiers with them", () => {
    root = makeTree({
      '/home/alice/.config/systemd/user/docker.service':
        '[Service]\nEnvironment=A=%h\nExecStart=%h/bin/dockerd --data %t/x %E %U ${A}\n',
      '/home/alice/.config/systemd/user/docker.service.d/x.conf': '[Service]\nEnvironment=A=own\n',
      '/usr/lib/systemd/user/docker.service': '[Service]\nExecStart=/usr/bin/other\n',
      [UNIT]: '[Service]\nExecStart=/usr/bin/system\n',
    });
    const user = { home: '/home/alice', name: 'alice', uid: 1000 };
    const read = readServiceCommand(new RootTree(root), 'docker.service', { user });
    expect(read?.words.map(({ text }) => text)).toEqual([
      '/home/alice/bin/dockerd',
      '--data',
      '/run/user/1000/x',
      '/home/alice/.config',
      '1000',
      'own',
    ]);
  });
});
