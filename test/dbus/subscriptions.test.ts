import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Bus, connect, type MatchRule } from '../../src/dbus/bus.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd } from '../fake/systemd.ts';

const DAEMON = 'org.freedesktop.DBus';
const SYSTEMD = 'org.freedesktop.systemd1';
const RELOADING: MatchRule = { sender: SYSTEMD, interface: `${SYSTEMD}.Manager`, member: 'Reloading' };

/** The rules of a connection as the daemon counts them. */
async function rulesOf(bus: Bus): Promise<readonly string[]> {
  const [all] = await bus.call({
    destination: DAEMON,
    path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus.Debug.Stats',
    member: 'GetAllMatchRules',
  });
  return (all as Record<string, string[]>)[bus.uniqueName] ?? [];
}

describeWithBus('a subscription', () => {
  let daemon: Daemon;
  let bus: Bus;
  let fake: FakeSystemd;
  let thrown: unknown[];
  beforeEach(async () => {
    thrown = [];
    daemon = await startDaemon({ maxMatchRulesPerConnection: 20 });
    fake = await FakeSystemd.start(daemon.path);
    bus = await connect([daemon.path], { onHandlerError: (error) => thrown.push(error) });
  });
  afterEach(async () => {
    bus.close();
    fake.disconnect();
    await daemon.stop();
  });

  const collect = async (rule: MatchRule): Promise<unknown[]> => {
    const got: unknown[] = [];
    await bus.subscribe(rule, (signal) => got.push(...signal.body));
    return got;
  };

  it('made and ended 600 times leaves no rule but the one for the owner of the name', async () => {
    for (let round = 0; round < 600; round += 1) {
      const end = await bus.subscribe(RELOADING, () => undefined);
      await end();
    }
    const rules = await rulesOf(bus);
    expect(rules).toHaveLength(1);
    expect(rules[0]).toContain('NameOwnerChanged');
  });

  it('made 100 times at once for one rule is one rule, and each handler hears each signal once', async () => {
    let heard = 0;
    const ends = await Promise.all(
      Array.from({ length: 100 }, () =>
        bus.subscribe(RELOADING, () => {
          heard += 1;
        }),
      ),
    );
    expect(await rulesOf(bus)).toHaveLength(2);
    fake.emit('Reloading', 'b', [true]);
    await expect.poll(() => heard).toBe(100);
    await Promise.all(ends.slice(1).map((end) => end()));
    expect(await rulesOf(bus)).toHaveLength(2);
    fake.emit('Reloading', 'b', [false]);
    await expect.poll(() => heard).toBe(101);
    await ends[0]?.();
    await ends[0]?.();
    expect(await rulesOf(bus)).toHaveLength(1);
  });

  it('that is ended and made again at once stays in force', async () => {
    const end = await bus.subscribe(RELOADING, () => undefined);
    const [, got] = await Promise.all([end(), collect(RELOADING)]);
    fake.emit('Reloading', 'b', [true]);
    await expect.poll(() => got).toEqual([true]);
  });

  it('does no harm when its handler throws: the others hear, calls are answered, nobody is sent an error', async () => {
    await bus.subscribe(RELOADING, () => {
      throw new Error('handler');
    });
    const got = await collect(RELOADING);
    fake.emit('Reloading', 'b', [true]);
    await expect.poll(() => got).toEqual([true]);
    expect(thrown).toMatchObject([{ message: 'handler' }]);
    expect(await rulesOf(bus)).toHaveLength(2);
    expect(fake.calls).toEqual([]);
  });

  it('hears nothing from a stranger who sends the same signal straight to this connection', async () => {
    const { sessionBus, Message } = await import('dbus-next');
    const stranger = sessionBus({ busAddress: `unix:socket=${daemon.path}` });
    await new Promise<void>((resolve) => stranger.on('connect', resolve));
    const got = await collect(RELOADING);
    const anybody = await collect({ member: 'Reloading' });
    const forged = { type: 4, path: '/org/freedesktop/systemd1', interface: `${SYSTEMD}.Manager`, member: 'Reloading' };
    stranger.send(new Message({ ...forged, destination: bus.uniqueName, signature: 'b', body: [false] } as never));
    await expect.poll(() => anybody).toEqual([false]);
    fake.emit('Reloading', 'b', [true]);
    await expect.poll(() => got).toEqual([true]);
    stranger.disconnect();
  });

  it('follows a service that comes back under another unique name', async () => {
    const got = await collect(RELOADING);
    await fake.restart();
    fake.emit('Reloading', 'b', [true]);
    await expect.poll(() => got).toEqual([true]);
  });

  it('may be made before the service is there', async () => {
    fake.disconnect();
    await expect.poll(() => bus.call(ownerCall()).catch((error) => error.code)).toBe('E_BUS');
    const got = await collect(RELOADING);
    await fake.connect();
    fake.emit('Reloading', 'b', [true]);
    await expect.poll(() => got).toEqual([true]);
  });

  it('that the daemon refuses rejects, and a later one works once there is room', async () => {
    const rules = Array.from({ length: 20 }, (_, at) => ({ member: `M${at}` }));
    const ends = await Promise.all(rules.map((rule) => bus.subscribe(rule, () => undefined)));
    const refused = bus.subscribe({ member: 'Late' }, () => undefined);
    await expect(refused).rejects.toMatchObject({ code: 'E_BUS', data: { name: `${DAEMON}.Error.LimitsExceeded` } });
    await ends[0]?.();
    await expect(bus.subscribe({ member: 'Late' }, () => undefined)).resolves.toBeTypeOf('function');
  });

  it('hears no more once it has been ended, even of a signal that is being handed out', async () => {
    const got: unknown[] = [];
    let endSecond: () => Promise<void> = () => Promise.resolve();
    await bus.subscribe(RELOADING, () => void endSecond());
    endSecond = await bus.subscribe(RELOADING, (signal) => got.push(signal));
    const after = await collect(RELOADING);
    fake.emit('Reloading', 'b', [true]);
    await expect.poll(() => after).toEqual([true]);
    expect(got).toEqual([]);
  });
});

function ownerCall() {
  const base = { destination: DAEMON, path: '/org/freedesktop/DBus', interface: DAEMON, member: 'GetNameOwner' };
  return { ...base, signature: 's', body: [SYSTEMD] };
}
