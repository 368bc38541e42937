import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAEMON_JSON, DOCKER_MACHINES, DriverLab, LAYOUT, spoken } from './support.ts';

const ALIGN = ['driver', 'align', '--to', 'systemd', '--yes'];
const ON_CGROUPFS = '{\n  "exec-opts": ["native.cgroupdriver=cgroupfs"]\n}\n';
const ON_SYSTEMD = ON_CGROUPFS.replace('=cgroupfs', '=systemd');

describe.each(DOCKER_MACHINES)('Docker $docker in trouble, on $name', ({ name }) => {
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'trouble');
  });

  afterAll(() => lab.down());

  beforeEach(() => lab.fresh());

  it('is rolled back where it does not start with what its validator let through, and its containers run again', async () => {
    await lab.dockerWith(ON_CGROUPFS);
    const id = await lab.container('kept', '--restart always');
    // Nothing that reads files can know this one.
    await lab.write(
      '/etc/systemd/system/docker.service.d/gate.conf',
      `[Service]\nExecStartPre=/bin/sh -c '! grep -q cgroupdriver=systemd ${DAEMON_JSON}'\n`,
    );
    await lab.out('systemctl daemon-reload');
    const failed = await lab.slicectl(ALIGN);
    expect(failed.code, spoken(failed)).toBe(1);
    expect(await lab.read(DAEMON_JSON)).toBe(ON_CGROUPFS);
    expect(await lab.show('docker.service', 'ActiveState')).toEqual({ ActiveState: 'active' });
    expect(await lab.show('docker.socket', 'ActiveState')).toEqual({ ActiveState: 'active' });
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    await lab.untilRuns('kept');
    expect(await lab.cgroupOf('kept')).toBe(LAYOUT.cgroupfs(id));
    expect((await lab.slicectl(['undo', '--yes'])).code, 'nothing is left to undo').not.toBe(0);
  });

  it('is refused before anything is written where its cgroup-parent is no slice', async () => {
    await lab.dockerWith('{"cgroup-parent": "/jobs", "exec-opts": ["native.cgroupdriver=cgroupfs"]}\n');
    const untouched = await lab.fingerprint();
    const refused = await lab.slicectl(ALIGN);
    expect(refused.code, spoken(refused)).toBe(2);
    expect(spoken(refused)).toMatch(/^refused: \/etc\/docker\/daemon\.json:1: .*"\/jobs"/m);
    expect(await lab.fingerprint()).toBe(untouched);
  });

  it('lets containers live through the change under live-restore, each in the cgroup that it has', async () => {
    await lab.dockerWith(`{"live-restore": true, "exec-opts": ["native.cgroupdriver=cgroupfs"]}\n`);
    const old = await lab.container('old');
    const pid = await lab.pidOf('old');
    await lab.done(...ALIGN);
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.pidOf('old')).toBe(pid);
    expect(await lab.cgroupOf('old')).toBe(LAYOUT.cgroupfs(old));
    const young = await lab.container('young');
    expect(await lab.cgroupOf('young')).toBe(LAYOUT.systemd(young));
    await lab.done('undo', '--yes');
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    expect(await lab.pidOf('old')).toBe(pid);
    expect(await lab.cgroupOf('young')).toBe(LAYOUT.systemd(young));
  });

  it('gets live-restore first when asked for it, so that a container without a restart policy survives', async () => {
    await lab.dockerWith(ON_CGROUPFS);
    const id = await lab.container('old');
    const pid = await lab.pidOf('old');
    const web = await lab.container('web', '--restart always');
    await lab.done(...ALIGN, '--live-restore');
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.pidOf('old')).toBe(pid);
    expect(await lab.cgroupOf('old')).toBe(LAYOUT.cgroupfs(id));
    await lab.done('undo', '--yes');
    expect(await lab.read(DAEMON_JSON)).toBe(ON_CGROUPFS);
    expect(await lab.dockerDriver()).toBe('cgroupfs');
    await lab.untilRuns('web');
    expect(await lab.cgroupOf('web')).toBe(LAYOUT.cgroupfs(web));
  });

  it('comes up out of a start limit of service and socket', async () => {
    await lab.dockerWith(ON_CGROUPFS);
    await lab.write(DAEMON_JSON, '{"no-such-directive": true}\n');
    await lab.sh('for i in 1 2 3 4 5; do systemctl restart docker.service; done');
    await lab.until('[ "$(systemctl is-failed docker.service)" = failed ] && systemctl stop docker.socket');
    await lab.out(`systemctl reset-failed docker.socket; systemctl start docker.socket || true
      timeout 5 docker version >/dev/null 2>&1; true`);
    await lab.until('[ "$(systemctl is-failed docker.socket)" = failed ]');
    await lab.write(DAEMON_JSON, ON_CGROUPFS);
    await lab.done(...ALIGN);
    expect(await lab.show('docker.socket', 'ActiveState')).toEqual({ ActiveState: 'active' });
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.read(DAEMON_JSON)).toBe(ON_SYSTEMD);
  });
});
