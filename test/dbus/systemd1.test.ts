import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bus, connect } from '../../src/dbus/bus.ts';
import { Manager, type Property, typeInterface, UNIT_INTERFACE, unitPath } from '../../src/dbus/systemd1.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd } from '../fake/systemd.ts';

const INFINITY = 2n ** 64n - 1n;

describeWithBus('the manager', () => {
  let daemon: Daemon;
  let bus: Bus;
  let fake: FakeSystemd;
  let manager: Manager;
  beforeEach(async () => {
    daemon = await startDaemon();
    fake = await FakeSystemd.start(daemon.path);
    bus = await connect([daemon.path]);
    manager = new Manager(bus);
  });
  afterEach(async () => {
    bus.close();
    fake.disconnect();
    await daemon.stop();
  });

  it('is sent a scope, its slice and every property with its own type', async () => {
    const properties: Property[] = [
      ['Description', 's', 'a job'],
      ['PIDs', 'au', [1, 2]],
      ['Delegate', 'b', true],
      ['DeviceAllow', 'a(ss)', [['/dev/null', 'rw']]],
      ['IOReadBandwidthMax', 'a(st)', [['/', 5n]]],
    ];
    await manager.startTransientUnit('a.scope', 'fail', properties, [['a.slice', [['MemoryMax', 't', INFINITY]]]]);
    const [call] = fake.callsOf('StartTransientUnit');
    expect(call?.signature).toBe('ssa(sv)a(sa(sv))');
    expect(call?.body).toEqual([
      'a.scope',
      'fail',
      [
        ['Description', { signature: 's', value: 'a job' }],
        ['PIDs', { signature: 'au', value: [1, 2] }],
        ['Delegate', { signature: 'b', value: true }],
        ['DeviceAllow', { signature: 'a(ss)', value: [['/dev/null', 'rw']] }],
        ['IOReadBandwidthMax', { signature: 'a(st)', value: [['/', 5n]] }],
      ],
      [['a.slice', [['MemoryMax', { signature: 't', value: INFINITY }]]]],
    ]);
  });

  it('that does not know a property refuses with its own words, and makes nothing', async () => {
    fake.behaviour.unknownProperties.add('NewProperty');
    const call = manager.startTransientUnit('a.scope', 'fail', [['NewProperty', 'b', true]]);
    await expect(call).rejects.toMatchObject({
      code: 'E_BUS',
      data: {
        name: 'org.freedesktop.DBus.Error.PropertyReadOnly',
        text: 'Cannot set property NewProperty, or unknown property.',
        about: 'a.scope',
      },
    });
    await expect(manager.getUnit('a.scope')).rejects.toMatchObject({
      data: { name: 'org.freedesktop.systemd1.NoSuchUnit' },
    });
  });

  it('that has the unit already answers E_UNIT_EXISTS with a hint', async () => {
    await manager.startTransientUnit('a.scope', 'fail', []);
    const again = manager.startTransientUnit('a.scope', 'fail', []);
    await expect(again).rejects.toMatchObject({ code: 'E_UNIT_EXISTS', hint: expect.stringContaining('another name') });
  });

  it('that does not allow it answers E_PRIVILEGE', async () => {
    fake.behaviour.denied.add('SetUnitProperties');
    await expect(manager.setUnitProperties('a.scope', true, [])).rejects.toMatchObject({ code: 'E_PRIVILEGE' });
  });

  it('is subscribed to twice without an error, but other refusals come through', async () => {
    await manager.subscribe();
    await manager.subscribe();
    fake.behaviour.denied.add('Subscribe');
    await expect(manager.subscribe()).rejects.toMatchObject({ code: 'E_PRIVILEGE' });
  });

  it('changes, signals, references, freezes, resets and stops a unit by the names of its own API', async () => {
    await manager.startTransientUnit('a.scope', 'fail', []);
    await manager.setUnitProperties('a.scope', true, [['CPUWeight', 't', 50n]]);
    await manager.killUnit('a.scope', 'all', 15);
    await manager.refUnit('a.scope');
    await manager.unrefUnit('a.scope');
    await manager.freezeUnit('a.scope');
    await manager.thawUnit('a.scope');
    await manager.resetFailedUnit('a.scope');
    expect(await manager.stopUnit('a.scope', 'replace')).toBe('/org/freedesktop/systemd1/job/2');
    expect(fake.calls.map(({ member, signature, body }) => [member, signature, ...body.slice(1)])).toEqual([
      ['StartTransientUnit', 'ssa(sv)a(sa(sv))', 'fail', [], []],
      ['SetUnitProperties', 'sba(sv)', true, [['CPUWeight', { signature: 't', value: 50n }]]],
      ['KillUnit', 'ssi', 'all', 15],
      ['RefUnit', 's'],
      ['UnrefUnit', 's'],
      ['FreezeUnit', 's'],
      ['ThawUnit', 's'],
      ['ResetFailedUnit', 's'],
      ['StopUnit', 'ss', 'replace'],
    ]);
  });

  it('lists units by state and pattern, with their words as they are', async () => {
    await manager.startTransientUnit('a-1.scope', 'fail', []);
    await manager.startTransientUnit('b-1.scope', 'fail', []);
    expect(await manager.listUnitsByPatterns(['active'], ['a-*'])).toEqual([
      {
        name: 'a-1.scope',
        description: 'a-1.scope',
        loadState: 'loaded',
        activeState: 'active',
        subState: 'running',
        followed: '',
        path: unitPath('a-1.scope'),
        jobId: 0,
        jobType: '',
        jobPath: '/',
      },
    ]);
    expect(await manager.listUnitsByPatterns(['failed'], [])).toEqual([]);
  });

  it('reads properties with 64-bit values exact and nothing of the variants left', async () => {
    await manager.startTransientUnit('a.scope', 'fail', [
      ['MemoryMax', 't', INFINITY],
      ['PIDs', 'au', [7]],
    ]);
    const path = await manager.getUnit('a.scope');
    expect(path).toBe(unitPath('a.scope'));
    expect(await manager.get(path, typeInterface('a.scope'), 'MemoryMax')).toBe(INFINITY);
    expect(await manager.getAll(path, UNIT_INTERFACE)).toEqual({
      Id: 'a.scope',
      ActiveState: 'active',
      MemoryMax: INFINITY,
      PIDs: [7],
    });
  });

  it('gives its version and its own cgroup', async () => {
    fake.behaviour.version = 'v252.39-1~deb12u1';
    fake.behaviour.controlGroup = '/user.slice/user-1000.slice/user@1000.service';
    expect(await manager.version()).toEqual({ major: 252, text: 'v252.39-1~deb12u1' });
    expect(await manager.managerControlGroup()).toBe('/user.slice/user-1000.slice/user@1000.service');
  });
});

describe('the interface of a unit type', () => {
  it.each([
    ['a.scope', 'Scope'],
    ['a.b.service', 'Service'],
    ['-.slice', 'Slice'],
  ])('of %s is %s', (unit, type) => {
    expect(typeInterface(unit)).toBe(`org.freedesktop.systemd1.${type}`);
  });
});
