import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlicectlError } from '../../src/core/errors.ts';
import { type Bus, connect } from '../../src/dbus/bus.ts';
import { Connection } from '../../src/dbus/connection.ts';
import { retryable } from '../../src/dbus/errors.ts';
import { type ManagerEvent, watchManager } from '../../src/dbus/manager-watch.ts';
import { Manager } from '../../src/dbus/systemd1.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd } from '../fake/systemd.ts';

describeWithBus('a connection that is kept', () => {
  let daemon: Daemon;
  let connection: Connection;
  let dials: number;
  let path: string;
  beforeEach(async () => {
    daemon = await startDaemon();
    path = daemon.path;
    dials = 0;
    const dial = () => {
      dials += 1;
      return connect([path]);
    };
    connection = new Connection(dial, { firstPauseMs: 5, giveUpAfterMs: 200 });
  });
  afterEach(async () => {
    connection.close();
    await daemon.stop();
  });

  const isOtherThan = (old: Bus) => async () => (await connection.bus()) !== old;

  it('is one for all who ask at once', async () => {
    const buses = await Promise.all([connection.bus(), connection.bus(), connection.bus()]);
    expect(new Set(buses).size).toBe(1);
    expect(dials).toBe(1);
  });

  it('is replaced when it is next asked for, and not before, when nobody waits', async () => {
    const first = await connection.bus();
    first.close();
    await expect.poll(isOtherThan(first)).toBe(true);
    expect(dials).toBe(2);
  });

  it('is replaced at once for a waiter, who is told, also when the bus is away for some attempts', async () => {
    const told: Bus[] = [];
    const fine = { onReconnected: (bus: Bus) => told.push(bus), onGivenUp: () => undefined };
    const failing = {
      onReconnected: () => {
        throw new Error('waiter');
      },
      onGivenUp: () => undefined,
    };
    connection.wait(failing);
    connection.wait(fine);
    const first = await connection.bus();
    path = '/nonexistent/bus';
    await daemon.kill();
    await expect.poll(() => dials).toBeGreaterThan(3);
    const next = await startDaemon();
    path = next.path;
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]).not.toBe(first);
    expect(await connection.bus()).toBe(told[0]);
    connection.close();
    await next.stop();
  });

  it('is replaced for a waiter who comes only after the loss', async () => {
    const first = await connection.bus();
    const lost = new Promise((resolve) => first.onClosed(resolve));
    first.close();
    await lost;
    const told: Bus[] = [];
    connection.wait({ onReconnected: (bus) => told.push(bus), onGivenUp: () => undefined });
    await expect.poll(() => told).toHaveLength(1);
  });

  it('rejects who waits for a replacement with E_BUS_LOST when it is closed', async () => {
    connection.wait({ onReconnected: () => undefined, onGivenUp: () => undefined });
    const first = await connection.bus();
    path = '/nonexistent/bus';
    first.close();
    await expect.poll(() => dials).toBeGreaterThan(1);
    const asked = expect(connection.bus()).rejects.toMatchObject({ code: 'E_BUS_LOST' });
    connection.close();
    await asked;
  });

  it('tells a waiter when it has given up, and can be asked for again', async () => {
    const reasons: SlicectlError[] = [];
    connection.wait({ onReconnected: () => undefined, onGivenUp: (reason) => reasons.push(reason) });
    await connection.bus();
    path = '/nonexistent/bus';
    await daemon.kill();
    await expect.poll(() => reasons, { timeout: 3000 }).toHaveLength(1);
    expect(reasons[0]).toMatchObject({ code: 'E_BUS_LOST', cause: { code: 'E_NO_BUS' } });
    await expect(connection.bus()).rejects.toMatchObject({ code: 'E_NO_BUS' });
  });

  it('tells nobody who has left, and gives no bus after its end', async () => {
    const told: unknown[] = [];
    const leave = connection.wait({ onReconnected: (bus) => told.push(bus), onGivenUp: (reason) => told.push(reason) });
    const first = await connection.bus();
    leave();
    first.close();
    await expect.poll(isOtherThan(first)).toBe(true);
    const second = await connection.bus();
    connection.close();
    expect(second.isClosed).toBe(true);
    await expect(connection.bus()).rejects.toMatchObject({ code: 'E_BUS_LOST' });
    expect(told).toEqual([]);
  });
});

describeWithBus('the watch on the manager', () => {
  let daemon: Daemon;
  let bus: Bus;
  let fake: FakeSystemd;
  beforeEach(async () => {
    daemon = await startDaemon();
    fake = await FakeSystemd.start(daemon.path);
    bus = await connect([daemon.path]);
  });
  afterEach(async () => {
    bus.close();
    fake.disconnect();
    await daemon.stop();
  });

  it('tells of a re-execution and of a reload in order, and no more after its end', async () => {
    const events: ManagerEvent[] = [];
    const end = await watchManager(bus, (event) => events.push(event));
    fake.emit('Reloading', 'b', [true]);
    fake.emit('Reloading', 'b', [false]);
    await expect.poll(() => events).toEqual(['reloading', 'reloaded']);
    await fake.restart();
    await expect.poll(() => events.slice(2)).toEqual(['gone', 'back']);
    await end();
    await fake.restart();
    await new Manager(bus).version();
    expect(events).toHaveLength(4);
  });

  it('finds that a call is worth repeating while the manager is away, and only then', async () => {
    const manager = new Manager(bus);
    fake.behaviour.silent.add('GetUnit');
    const pending = manager.getUnit('a.scope').catch((error: unknown) => error);
    await expect.poll(() => fake.callsOf('GetUnit')).toHaveLength(1);
    fake.disconnect();
    expect(retryable(await pending)).toBe(true);
    expect(retryable(await manager.version().catch((error: unknown) => error))).toBe(true);
    await fake.connect();
    fake.behaviour.silent.clear();
    expect(retryable(await manager.getUnit('a.scope').catch((error: unknown) => error))).toBe(false);
    await daemon.kill();
    expect(retryable(await manager.version().catch((error: unknown) => error))).toBe(true);
  });
});

describe('what is worth repeating', () => {
  it.each([
    [new SlicectlError('E_BUS', 'x', { data: { name: 'org.freedesktop.DBus.Error.Spawn.ChildExited' } }), true],
    [new SlicectlError('E_BUS', 'x', { data: { name: 'org.freedesktop.DBus.Error.InvalidArgs' } }), false],
    [new SlicectlError('E_TIMEOUT', 'x'), false],
    [new Error('x'), false],
    [undefined, false],
  ])('%s: %s', (error, expected) => {
    expect(retryable(error)).toBe(expected);
  });
});
