import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemdLink } from '../../src/backend/systemd-link.ts';
import { type UnitControl, unitControl } from '../../src/change/units.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd } from '../fake/systemd.ts';

describeWithBus('a manager over D-Bus', () => {
  let daemon: Daemon;
  let systemd: FakeSystemd;
  let link: SystemdLink;
  let control: UnitControl;

  beforeEach(async () => {
    daemon = await startDaemon();
    systemd = await FakeSystemd.start(daemon.path);
    const environment = { env: { DBUS_SESSION_BUS_ADDRESS: `unix:path=${daemon.path}` }, uid: 1000 };
    link = new SystemdLink('user', environment, { jobTimeoutMs: 2000, patienceMs: 3000 });
    control = unitControl(link);
    systemd.units.set('docker.service', { properties: new Map(), activeState: 'active', refs: 0 });
  });

  afterEach(async () => {
    link.close();
    systemd.disconnect();
    await daemon.stop();
  });

  it('awaits each job, and fails with what systemd says of it', async () => {
    await control.job('restart', 'docker.service');
    expect(systemd.callsOf('RestartUnit')[0]?.body).toEqual(['docker.service', 'replace']);
    systemd.behaviour.jobResult = 'failed';
    await expect(control.job('start', 'docker.service')).rejects.toMatchObject({ code: 'E_JOB_FAILED' });
  });

  it('takes a unit that is not loaded for stopped, not failed and inactive', async () => {
    await control.job('stop', 'absent.service');
    await control.resetFailed('absent.service');
    expect(await control.state('absent.service')).toEqual({ activeState: 'inactive', activeSinceMs: 0 });
  });

  it('reads the state of a unit', async () => {
    expect(await control.state('docker.service')).toEqual({ activeState: 'active', activeSinceMs: 0 });
  });

  it('does a job again when the manager is gone for a moment', async () => {
    await control.state('docker.service');
    systemd.disconnect();
    const job = control.job('restart', 'docker.service');
    await systemd.connect();
    await job;
    expect(systemd.callsOf('RestartUnit')).toHaveLength(1);
  });
});
