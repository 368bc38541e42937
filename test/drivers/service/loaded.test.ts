import { Variant } from 'dbus-next';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemdLink } from '../../../src/backend/systemd-link.ts';
import { readLoaded } from '../../../src/drivers/service/loaded.ts';
import { type Daemon, describeWithBus, startDaemon } from '../../fake/daemon.ts';
import { FakeSystemd } from '../../fake/systemd.ts';

describeWithBus('a service that is loaded', () => {
  let daemon: Daemon;
  let fake: FakeSystemd;
  let link: SystemdLink;
  beforeEach(async () => {
    daemon = await startDaemon();
    fake = await FakeSystemd.start(daemon.path);
    link = new SystemdLink('user', { env: { DBUS_SESSION_BUS_ADDRESS: `unix:path=${daemon.path}` }, uid: 0 });
  });
  afterEach(async () => {
    link.close();
    fake.disconnect();
    await daemon.stop();
  });

  const load = (properties: [string, string, unknown][], activeState = 'active') =>
    fake.units.set('docker.service', {
      properties: new Map(properties.map(([name, signature, value]) => [name, new Variant(signature, value)])),
      activeState,
      refs: 0,
    });

  it('is given with its state, files and command', async () => {
    const command = (path: string, argv: string[]) => [path, argv, false, 0n, 0n, 0n, 0n, 0, 0, 0];
    load([
      ['LoadState', 's', 'loaded'],
      ['LoadError', '(ss)', ['', '']],
      ['SubState', 's', 'running'],
      ['NeedDaemonReload', 'b', true],
      ['FragmentPath', 's', '/usr/lib/systemd/system/docker.service'],
      ['DropInPaths', 'as', ['/etc/systemd/system/docker.service.d/a.conf']],
      ['ActiveEnterTimestamp', 't', 1_700_000_000_123_456n],
      ['MainPID', 'u', 4711],
      ['Result', 's', 'success'],
      ['ExecStart', 'a(sasbttttuii)', [command('/bin/a', ['a']), command('/usr/bin/dockerd', ['dockerd', '$OPTIONS'])]],
      ['Environment', 'as', ['A=1']],
      ['EnvironmentFiles', 'a(sb)', [['/etc/default/docker', true]]],
      ['ControlGroup', 's', '/system.slice/docker.service'],
    ]);
    expect(await readLoaded(link, 'docker.service')).toEqual({
      id: 'docker.service',
      loadState: 'loaded',
      loadError: undefined,
      activeState: 'active',
      subState: 'running',
      result: 'success',
      mainPid: 4711,
      needDaemonReload: true,
      fragmentPath: '/usr/lib/systemd/system/docker.service',
      dropInPaths: ['/etc/systemd/system/docker.service.d/a.conf'],
      execStart: ['dockerd', '$OPTIONS'],
      environment: ['A=1'],
      environmentFiles: ['/etc/default/docker'],
      activeEnterTimestampMs: 1_700_000_000_123,
      controlGroup: '/system.slice/docker.service',
    });
  });

  it('has no main process, no command and no time where systemd has none', async () => {
    load(
      [
        ['LoadState', 's', 'bad-setting'],
        [
          'LoadError',
          '(ss)',
          ['org.freedesktop.systemd1.BadUnitSetting', 'Unit docker.service has a bad unit file setting.'],
        ],
        ['SubState', 's', 'dead'],
        ['MainPID', 'u', 0],
        ['ExecStart', 'a(sasbttttuii)', []],
        ['ActiveEnterTimestamp', 't', 0n],
      ],
      'inactive',
    );
    expect(await readLoaded(link, 'docker.service')).toMatchObject({
      loadState: 'bad-setting',
      loadError: 'Unit docker.service has a bad unit file setting.',
      activeState: 'inactive',
      mainPid: undefined,
      execStart: [],
      activeEnterTimestampMs: undefined,
      needDaemonReload: false,
    });
  });

  it('is undefined where systemd has not loaded it, or knows of no file', async () => {
    expect(await readLoaded(link, 'docker.service')).toBeUndefined();
    load([['LoadState', 's', 'not-found']], 'inactive');
    expect(await readLoaded(link, 'docker.service')).toBeUndefined();
  });
});
