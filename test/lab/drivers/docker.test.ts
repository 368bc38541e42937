import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  DAEMON_JSON,
  DOCKER_MACHINES,
  DROP_IN,
  DriverLab,
  dropInWith,
  LAYOUT,
  ON_CGROUPFS,
  spoken,
} from './support.ts';

/** As somebody wrote it: tabs, another exec-opt, a key after it, no newline at the end. */
const DAEMON =
  '{\n\t"log-opts": {"max-size": "10m"},\n\t"exec-opts": [ "native.cgroupdriver=cgroupfs" ],\n\t"debug": false\n}';
const ALIGN = ['driver', 'align', '--to', 'systemd', '--yes'];

describe.each(DOCKER_MACHINES)('Docker $docker on $name', ({ name, docker }) => {
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'docker');
  });

  afterAll(() => lab.down());

  beforeEach(() => lab.fresh());

  it('goes from cgroupfs to systemd and back with its containers, and the file is the same to the byte', async () => {
    await lab.dockerWith(DAEMON);
    const kept = await lab.container('kept', '--restart always');
    const lost = await lab.container('lost');
    expect(await lab.cgroupOf('kept')).toBe(LAYOUT.cgroupfs(kept));
    const before = await lab.slicectl(['driver', 'status', '--json']);
    expect(before.code, spoken(before)).toBe(3);
    expect(row(before.stdout)).toMatchObject({
      version: expect.stringMatching(new RegExp(`^${docker.replace('.', '\\.')}`)),
      running: { driver: 'cgroupfs', how: 'api' },
      configured: { driver: 'cgroupfs', source: { path: DAEMON_JSON, line: 3 } },
    });

    const untouched = await lab.fingerprint();
    const refused = await lab.slicectl(ALIGN);
    expect(refused.code, spoken(refused)).toBe(4);
    expect(spoken(refused)).toMatch(/--stop-containers/);
    expect(spoken(refused)).toMatch(/lost/);
    expect(await lab.fingerprint()).toBe(untouched);

    await lab.done(...ALIGN, '--stop-containers');
    expect(await lab.dockerDriver()).toBe('systemd');
    await lab.untilRuns('kept');
    expect(await lab.cgroupOf('kept')).toBe(LAYOUT.systemd(kept));
    await lab.out('docker start lost');
    expect(await lab.cgroupOf('lost')).toBe(LAYOUT.systemd(lost));
    expect(await lab.read(DAEMON_JSON)).toBe(DAEMON.replace('cgroupdriver=cgroupfs', 'cgroupdriver=systemd'));
    expect((await lab.slicectl(['driver', 'status'])).code).toBe(0);

    const aligned = await lab.fingerprint();
    const again = await lab.done(...ALIGN);
    expect(again.stdout).toMatch(/nothing to do/);
    expect(await lab.fingerprint()).toBe(aligned);

    await lab.done('undo', '--yes');
    expect(await lab.read(DAEMON_JSON)).toBe(DAEMON);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    await lab.untilRuns('kept');
    expect(await lab.cgroupOf('kept')).toBe(LAYOUT.cgroupfs(kept));
    expect((await lab.done('history')).stdout).toMatch(/undone/);
  });

  it('gets a daemon.json where it has none, and has none again after undo', async () => {
    expect(await lab.dockerDriver()).toBe('systemd');
    await lab.done('driver', 'align', '--to', 'cgroupfs', '--runtime', 'docker', '--yes');
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    const id = await lab.container('one', '--restart always');
    expect(await lab.cgroupOf('one')).toBe(LAYOUT.cgroupfs(id));
    await lab.done('undo', '--yes');
    expect(await lab.inEtcDocker()).toBe('');
    expect(await lab.dockerDriver()).toBe('systemd');
    await lab.untilRuns('one');
    expect(await lab.cgroupOf('one')).toBe(LAYOUT.systemd(id));
  });

  it('is changed where its flag is, in a drop-in', async () => {
    const drop = dropInWith(ON_CGROUPFS);
    await lab.write(DROP_IN, drop);
    await lab.out('systemctl daemon-reload');
    await lab.dockerWith('{"debug": true}\n');
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    await lab.done(...ALIGN);
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.read(DROP_IN)).toBe(drop.replace('cgroupdriver=cgroupfs', 'cgroupdriver=systemd'));
    expect(await lab.read(DAEMON_JSON)).toBe('{"debug": true}\n');
    expect(await lab.show('docker.service', 'NeedDaemonReload')).toEqual({ NeedDaemonReload: 'no' });
    expect(await lab.out(`tr '\\0' ' ' </proc/$(pidof dockerd)/cmdline`)).toContain('native.cgroupdriver=systemd');
    await lab.done('undo', '--yes');
    expect(await lab.read(DROP_IN)).toBe(drop);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    expect(await lab.show('docker.service', 'NeedDaemonReload')).toEqual({ NeedDaemonReload: 'no' });
  });

  it("is changed where its flag is, in the environment file of Debian's unit", async () => {
    const file = '/etc/default/docker';
    const text = `${await lab.read(file)}\n# ours\nDOCKER_OPTS="--debug --exec-opt=native.cgroupdriver=cgroupfs"\n`;
    await lab.write(file, text);
    await lab.restartDocker();
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    await lab.done(...ALIGN);
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.read(file)).toBe(text.replace('cgroupdriver=cgroupfs', 'cgroupdriver=systemd'));
    expect(await lab.exists(DAEMON_JSON)).toBe(false);
    await lab.done('undo', '--yes');
    expect(await lab.read(file)).toBe(text);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
  });

  it('has its driver in one place after it was in two, with which it would not have started again', async () => {
    await lab.write(DROP_IN, dropInWith(ON_CGROUPFS));
    await lab.out('systemctl daemon-reload');
    await lab.restartDocker();
    await lab.write(DAEMON_JSON, '{"debug": true, "exec-opts": ["native.cgroupdriver=cgroupfs"]}\n');
    const status = await lab.slicectl(['driver', 'status']);
    expect(status.code).toBe(3);
    expect(status.stdout).toMatch(/error: Docker .*exec-opts.*\/etc\/docker\/daemon\.json/);
    const untouched = await lab.fingerprint();
    const told = await lab.done('driver', 'align', '--to', 'systemd', '--dry-run');
    expect(told.stdout).toMatch(/^warning: exec-opts leaves \/etc\/docker\/daemon\.json/m);
    expect(await lab.fingerprint()).toBe(untouched);
    await lab.done(...ALIGN);
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.read(DROP_IN)).toBe(dropInWith('--exec-opt native.cgroupdriver=systemd'));
    expect(await lab.read(DAEMON_JSON)).toBe('{"debug": true}\n');
  });

  it('is left running as it is when flag and file say something else twice', async () => {
    await lab.write(DROP_IN, dropInWith('--log-level=info'));
    await lab.out('systemctl daemon-reload');
    await lab.dockerWith('{"exec-opts": ["native.cgroupdriver=cgroupfs"]}\n');
    await lab.write(DAEMON_JSON, '{"log-level": "info", "exec-opts": ["native.cgroupdriver=cgroupfs"]}\n');
    const untouched = await lab.fingerprint();
    const refused = await lab.slicectl(ALIGN);
    expect(refused.code, spoken(refused)).toBe(2);
    expect(spoken(refused)).toMatch(/^refused: \/etc\/docker\/daemon\.json:1: .*log-level.*driver\.conf:4/m);
    expect(await lab.fingerprint()).toBe(untouched);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
  });

  it('keeps a daemon.json that is a link', async () => {
    await lab.write('/etc/docker/managed/daemon.real', DAEMON);
    await lab.out(`chmod 600 /etc/docker/managed/daemon.real; ln -s managed/daemon.real ${DAEMON_JSON}`);
    await lab.restartDocker();
    await lab.done(...ALIGN);
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.out(`readlink ${DAEMON_JSON}; stat -c %a /etc/docker/managed/daemon.real`)).toBe(
      'managed/daemon.real\n600',
    );
    expect(await lab.read('/etc/docker/managed/daemon.real')).toBe(
      DAEMON.replace('cgroupdriver=cgroupfs', 'cgroupdriver=systemd'),
    );
    await lab.done('undo', '--yes');
    expect(await lab.out(`readlink ${DAEMON_JSON}; cat ${DAEMON_JSON}`)).toBe(`managed/daemon.real\n${DAEMON}`);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
  });

  it('is not touched by --dry-run', async () => {
    await lab.dockerWith(DAEMON);
    await lab.container('one');
    const untouched = await lab.fingerprint();
    const told = await lab.slicectl(['driver', 'align', '--to', 'systemd', '--stop-containers', '--dry-run']);
    expect(told.code, spoken(told)).toBe(0);
    expect(told.stdout).toMatch(/^ +-.*native\.cgroupdriver=cgroupfs/m);
    expect(told.stdout).toMatch(/^ +\+.*native\.cgroupdriver=systemd/m);
    expect(told.stdout).toMatch(/restart docker\.service/);
    expect(await lab.fingerprint()).toBe(untouched);
    expect(await lab.exists('/var/lib/slicectl')).toBe(false);
  });

  it('answers check --expect with 0 or 3, now and at its next start', async () => {
    const check = async (driver: string) =>
      (await lab.slicectl(['driver', 'check', '--expect', driver, '--quiet'])).code;
    expect([await check('systemd'), await check('cgroupfs')]).toEqual([0, 3]);
    await lab.write(DAEMON_JSON, '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}\n');
    expect([await check('systemd'), await check('cgroupfs')]).toEqual([3, 3]);
    await lab.restartDocker();
    const only = ['driver', 'check', '--runtime', 'docker', '--expect', 'cgroupfs'];
    expect((await lab.slicectl(only)).code).toBe(0);
  });
});

interface Report {
  readonly runtimes: readonly { readonly runtime: string }[];
}

const row = (json: string) => (JSON.parse(json) as Report).runtimes.find(({ runtime }) => runtime === 'docker');
