// biome-ignore-all lint/suspicious/noTemplateCurlyInString: systemd's own syntax
import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Step } from '../../../src/change/plan.ts';
import { readServiceCommand } from '../../../src/drivers/service/command.ts';
import { changeFlag, needsReload, removeFlag } from '../../../src/drivers/service/edit.ts';
import { findFlags } from '../../../src/drivers/service/flags.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import type { ServiceCase } from '../../fixtures/service/cases.ts';
import { makeTree } from '../../fixtures/service/tree.ts';

const OWN = '/etc/systemd/system/docker.service';
const VENDOR = '/usr/lib/systemd/system/docker.service';
const OURS = '/etc/systemd/system/docker.service.d/90-slicectl.conf';
const DEFAULTS = '/etc/default/docker';
const CGROUPFS = 'native.cgroupdriver=cgroupfs';

let root = '';
afterEach(() => rmSync(root, { recursive: true, force: true }));

type Files = ServiceCase['files'];

/** What the steps would write, by path. */
function contents(steps: readonly Step[]): Record<string, string> {
  return Object.fromEntries(
    steps.flatMap((step) =>
      step.kind === 'file' && step.after.exists ? [[step.path, Buffer.from(step.after.bytes).toString()]] : [],
    ),
  );
}

function edit(files: Files, value: string | undefined): Record<string, string> {
  root = makeTree(files);
  const tree = new RootTree(root);
  const command = readServiceCommand(tree, 'docker.service');
  if (command === undefined) throw new Error('no such unit');
  const use = findFlags(command, ['--exec-opt']).at(-1);
  if (use === undefined) throw new Error('no such flag');
  return contents(value === undefined ? removeFlag(tree, command, use) : changeFlag(tree, command, use, value));
}

const change = (files: Files) => edit(files, CGROUPFS);
const remove = (files: Files) => edit(files, undefined);
const service = (line: string, ...settings: string[]) => ['[Service]', ...settings, `ExecStart=${line}`, ''].join('\n');

describe('an option in a unit of the administrator', () => {
  it.each([
    [
      'as a word of its own',
      '/usr/bin/dockerd --exec-opt native.cgroupdriver=systemd -D',
      '/usr/bin/dockerd --exec-opt native.cgroupdriver=cgroupfs -D',
      '/usr/bin/dockerd -D',
    ],
    [
      'with "="',
      '/usr/bin/dockerd  --exec-opt=native.cgroupdriver=systemd',
      '/usr/bin/dockerd  --exec-opt=native.cgroupdriver=cgroupfs',
      '/usr/bin/dockerd',
    ],
    [
      'in quotes',
      `/usr/bin/dockerd --exec-opt "native.cgroupdriver=systemd" 'x y'`,
      `/usr/bin/dockerd --exec-opt "native.cgroupdriver=cgroupfs" 'x y'`,
      `/usr/bin/dockerd 'x y'`,
    ],
    [
      'all in quotes',
      `/usr/bin/dockerd "--exec-opt=native.cgroupdriver=systemd"`,
      `/usr/bin/dockerd "--exec-opt=native.cgroupdriver=cgroupfs"`,
      '/usr/bin/dockerd',
    ],
    [
      'in quotes in its middle',
      '/usr/bin/dockerd --exec-opt native.cgroupdriver=sys"temd" -D',
      '/usr/bin/dockerd --exec-opt native.cgroupdriver=cgroupfs -D',
      '/usr/bin/dockerd -D',
    ],
    [
      'with an escape',
      '/usr/bin/dockerd --exec-opt native.cgroupdriver=s\\x79stemd',
      '/usr/bin/dockerd --exec-opt native.cgroupdriver=cgroupfs',
      '/usr/bin/dockerd',
    ],
    [
      'on lines of its own',
      '/usr/bin/dockerd \\\n    --exec-opt native.cgroupdriver=systemd \\\n    $OPTIONS',
      '/usr/bin/dockerd \\\n    --exec-opt native.cgroupdriver=cgroupfs \\\n    $OPTIONS',
      '/usr/bin/dockerd \\\n    $OPTIONS',
    ],
    [
      'on the last line',
      '/usr/bin/dockerd \\\n    $OPTIONS \\\n    --exec-opt native.cgroupdriver=systemd',
      '/usr/bin/dockerd \\\n    $OPTIONS \\\n    --exec-opt native.cgroupdriver=cgroupfs',
      '/usr/bin/dockerd \\\n    $OPTIONS',
    ],
    [
      'over two lines',
      '/usr/bin/dockerd --exec-opt \\\n    native.cgroupdriver=systemd -D',
      '/usr/bin/dockerd --exec-opt \\\n    native.cgroupdriver=cgroupfs -D',
      '/usr/bin/dockerd -D',
    ],
    [
      'between comments',
      '/usr/bin/dockerd \\\n# why\n  --exec-opt native.cgroupdriver=systemd \\\n; end\n  -D',
      '/usr/bin/dockerd \\\n# why\n  --exec-opt native.cgroupdriver=cgroupfs \\\n; end\n  -D',
      '/usr/bin/dockerd \\\n# why\n; end\n  -D',
    ],
    [
      'with prefixes',
      '-@/usr/bin/dockerd docker --exec-opt native.cgroupdriver=systemd',
      '-@/usr/bin/dockerd docker --exec-opt native.cgroupdriver=cgroupfs',
      '-@/usr/bin/dockerd docker',
    ],
  ])('is changed and taken out where it is written: %s', (_, before, changed, removed) => {
    expect(change({ [OWN]: service(before) })).toEqual({ [OWN]: service(changed) });
    expect(remove({ [OWN]: service(before) })).toEqual({ [OWN]: service(removed) });
  });

  it('keeps CRLF, a byte order mark and a missing line end', () => {
    const text = '\ufeff[Service]\r\nExecStart=/usr/bin/dockerd \\\r\n --exec-opt native.cgroupdriver=systemd';
    expect(change({ [OWN]: text })).toEqual({ [OWN]: text.replace('=systemd', '=cgroupfs') });
    expect(remove({ [OWN]: text })).toEqual({ [OWN]: '\ufeff[Service]\r\nExecStart=/usr/bin/dockerd' });
  });

  it('is changed in the drop-in that counts', () => {
    const dropIn = `${OWN}.d/override.conf`;
    const text = '[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --exec-opt native.cgroupdriver=systemd\n';
    const files = { [VENDOR]: service('/usr/bin/dockerd'), [dropIn]: text };
    expect(change(files)).toEqual({ [dropIn]: text.replace('=systemd', '=cgroupfs') });
  });

  it('plans nothing when it has the value', () => {
    expect(change({ [OWN]: service(`/usr/bin/dockerd --exec-opt ${CGROUPFS}`) })).toEqual({});
  });
});

describe('an option in a variable', () => {
  const unit = service('/usr/bin/dockerd -H fd:// $DOCKER_OPTS', 'EnvironmentFile=-/etc/default/docker');

  it.each([
    [
      'DOCKER_OPTS="--exec-opt native.cgroupdriver=systemd"',
      'DOCKER_OPTS="--exec-opt native.cgroupdriver=cgroupfs"',
      'DOCKER_OPTS=""',
    ],
    [
      "DOCKER_OPTS='-D --exec-opt native.cgroupdriver=systemd'",
      "DOCKER_OPTS='-D --exec-opt native.cgroupdriver=cgroupfs'",
      "DOCKER_OPTS='-D'",
    ],
    [
      'DOCKER_OPTS=--exec-opt native.cgroupdriver=systemd',
      'DOCKER_OPTS=--exec-opt native.cgroupdriver=cgroupfs',
      'DOCKER_OPTS=""',
    ],
    [
      'DOCKER_OPTS="--exec-opt native.cgroupdriver=systemd -D"',
      'DOCKER_OPTS="--exec-opt native.cgroupdriver=cgroupfs -D"',
      'DOCKER_OPTS="-D"',
    ],
    [
      'DOCKER_OPTS="\\\n  --exec-opt native.cgroupdriver=systemd \\\n  -D"',
      'DOCKER_OPTS="\\\n  --exec-opt native.cgroupdriver=cgroupfs \\\n  -D"',
      'DOCKER_OPTS="\\\n  -D"',
    ],
    [
      `DOCKER_OPTS='--exec-opt "native.cgroupdriver=systemd"'`,
      `DOCKER_OPTS='--exec-opt "native.cgroupdriver=cgroupfs"'`,
      `DOCKER_OPTS=''`,
    ],
  ])('is changed and taken out in the environment file: %s', (before, changed, removed) => {
    const text = (line: string) => `# options\n${line}\nOTHER=1 # end\n`;
    const files = { [VENDOR]: unit, [DEFAULTS]: text(before) };
    expect(change(files)).toEqual({ [DEFAULTS]: text(changed) });
    expect(remove(files)).toEqual({ [DEFAULTS]: text(removed) });
  });

  it('is changed where only its value is a variable', () => {
    const files = {
      [VENDOR]: service(
        '/usr/bin/dockerd --exec-opt native.cgroupdriver=${DRIVER}',
        'EnvironmentFile=/etc/default/docker',
      ),
      [DEFAULTS]: 'DRIVER=systemd\n',
    };
    expect(change(files)).toEqual({ [DEFAULTS]: 'DRIVER=cgroupfs\n' });
  });

  it('is changed in Environment= of a drop-in', () => {
    const dropIn = `${OWN}.d/10-driver.conf`;
    const text = '[Service]\nEnvironment="DOCKER_CGROUPS=--exec-opt native.cgroupdriver=systemd" "X=1"\n';
    const files = { [VENDOR]: service('/usr/bin/dockerd $DOCKER_CGROUPS'), [dropIn]: text };
    expect(change(files)).toEqual({ [dropIn]: text.replace('=systemd', '=cgroupfs') });
    expect(remove(files)).toEqual({ [dropIn]: text.replace('--exec-opt native.cgroupdriver=systemd', '') });
  });

  it('is changed at its word where the variable is used twice', () => {
    const files = {
      [OWN]: service('/usr/bin/dockerd --exec-opt native.cgroupdriver=${D} --label d=${D}', 'Environment=D=systemd'),
    };
    const text = service(
      '/usr/bin/dockerd --exec-opt native.cgroupdriver=cgroupfs --label d=${D}',
      'Environment=D=systemd',
    );
    expect(change(files)).toEqual({ [OWN]: text });
  });
});

describe("an option in a vendor's unit", () => {
  const line = '-/usr/bin/dockerd \\\n  --exec-opt native.cgroupdriver=systemd \\\n  $OPTIONS %n';
  const made = (settings: string) =>
    `# Made by slicectl from ${VENDOR}.\n# "slicectl undo" takes it back.\n[Service]\n${settings}\n`;

  it('is changed and taken out in a drop-in that repeats the command', () => {
    const files = { [VENDOR]: service(line) };
    expect(change(files)).toEqual({ [OURS]: made(`ExecStart=\nExecStart=${line.replace('=systemd', '=cgroupfs')}`) });
    expect(remove(files)).toEqual({ [OURS]: made('ExecStart=\nExecStart=-/usr/bin/dockerd \\\n  $OPTIONS %n') });
  });

  it('is changed in a drop-in that sets the variable again', () => {
    const files = {
      [VENDOR]: service(
        '/usr/bin/dockerd $OPTS',
        'Environment=A=1 "OPTS=-D --exec-opt native.cgroupdriver=systemd" B=2',
      ),
    };
    expect(change(files)).toEqual({ [OURS]: made(`Environment="OPTS=-D --exec-opt ${CGROUPFS}"`) });
    expect(remove(files)).toEqual({ [OURS]: made('Environment="OPTS=-D"') });
  });

  it('is changed in a drop-in that sorts behind all others', () => {
    const late = '/usr/lib/systemd/system/docker.service.d/99-late.conf';
    const files = {
      [VENDOR]: service('/usr/bin/dockerd'),
      [late]: '[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --exec-opt native.cgroupdriver=systemd\n',
      [OURS]: '# of somebody else\n',
    };
    expect(Object.keys(change(files))).toEqual([`${OWN}.d/99-slicectl.conf`]);
  });

  it('is changed beside a link from /etc that leads to the vendor', () => {
    const files = {
      [VENDOR]: service('/usr/bin/dockerd --exec-opt native.cgroupdriver=systemd'),
      [OWN]: { link: VENDOR },
    };
    expect(Object.keys(change(files))).toEqual([OURS]);
  });
});

describe('an option that is left alone', () => {
  it.each<[string, Files, RegExp]>([
    [
      'made at boot',
      { '/run/systemd/system/docker.service': service('/usr/bin/dockerd --exec-opt a=systemd') },
      /\/run is made again/,
    ],
    [
      'of a generator',
      { '/run/systemd/generator/docker.service': service('/usr/bin/dockerd --exec-opt a=systemd') },
      /\/run is made again/,
    ],
    [
      'in a file of a package',
      {
        [OWN]: service('/usr/bin/dockerd $OPTS', 'EnvironmentFile=/usr/share/docker/options'),
        '/usr/share/docker/options': 'OPTS=--exec-opt a=systemd\n',
      },
      /belongs to a package/,
    ],
    ['in a script', { [OWN]: service("/bin/sh -c 'exec dockerd --exec-opt a=systemd'") }, /script of a shell/],
    [
      'in a file that is not UTF-8',
      { [OWN]: { latin1: `# caf\xe9\n${service('/usr/bin/dockerd --exec-opt a=systemd')}` } },
      /not UTF-8/,
    ],
  ])('is one %s', (_, files, reason) => {
    expect(() => change(files)).toThrow(reason);
    expect(() => remove(files)).toThrow(reason);
  });

  it('says the file, the line and what to do instead', () => {
    expect(() => change({ [OWN]: service("/bin/sh -c 'dockerd --exec-opt a=b'") })).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        message: expect.stringContaining(`--exec-opt of docker.service (${OWN}:2)`),
        hint: 'change it by hand with systemctl edit docker.service',
      }),
    );
  });
});

describe('a reload of systemd', () => {
  it('is needed for units and drop-ins, not for environment files', () => {
    const reload = (path: string) =>
      needsReload([
        { kind: 'file', path, target: path, before: { exists: false }, after: { exists: false }, purpose: '' },
      ]);
    expect([OWN, OURS, '/home/a/.config/systemd/user/docker.service'].map(reload)).toEqual([true, true, true]);
    expect([DEFAULTS, '/etc/docker/daemon.json', '/etc/systemd/system.conf'].map(reload)).toEqual([
      false,
      false,
      false,
    ]);
  });
});
