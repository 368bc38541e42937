import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Message, sessionBus, Variant } from 'dbus-next';
import compat from 'dbus-next/lib/marshall-compat.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bus, type Call, connect, variant } from '../../src/dbus/bus.ts';
import { type Daemon, describeWithBus, startDaemon } from '../fake/daemon.ts';
import { FakeSystemd } from '../fake/systemd.ts';

const DAEMON = 'org.freedesktop.DBus';
const MANAGER = 'org.freedesktop.systemd1.Manager';

function daemonCall(member: string, signature?: string, body?: readonly unknown[]): Call {
  const base = { destination: DAEMON, path: '/org/freedesktop/DBus', interface: DAEMON, member };
  return signature === undefined ? base : { ...base, signature, body: body ?? [] };
}

function managerCall(member: string, signature?: string, body?: readonly unknown[]): Call {
  const base = {
    destination: 'org.freedesktop.systemd1',
    path: '/org/freedesktop/systemd1',
    interface: MANAGER,
    member,
  };
  return signature === undefined ? base : { ...base, signature, body: body ?? [] };
}

const code = (error: unknown) => (error as { code?: string }).code;

describe('connecting', () => {
  let folder: string;
  let server: Server | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slicectl-connect-'));
  });
  afterEach(async () => {
    server?.close();
    server = undefined;
    await rm(folder, { recursive: true });
  });

  const listen = async (onLine: (line: string, write: (text: string) => void) => void): Promise<string> => {
    const path = join(folder, 'bus');
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => onLine(data.toString('latin1'), (text) => socket.write(text)));
    });
    server.listen(path);
    await once(server, 'listening');
    return path;
  };

  it('to absent sockets is E_NO_BUS that names each path', async () => {
    const attempt = connect([join(folder, 'a'), join(folder, 'b')]);
    await expect(attempt).rejects.toMatchObject({ code: 'E_NO_BUS' });
    await expect(attempt).rejects.toThrowError(/\/a": no such socket.*\/b": no such socket/);
  });

  it('to no path at all is E_NO_BUS', async () => {
    await expect(connect([])).rejects.toMatchObject({ code: 'E_NO_BUS' });
  });

  it('to a socket that says nothing ends at the deadline', async () => {
    const path = await listen(() => undefined);
    const start = Date.now();
    await expect(connect([path], { timeoutMs: 100 })).rejects.toThrowError(/no answer within 0.1 s/);
    expect(Date.now() - start).toBeLessThan(1500);
  });

  it('to a bus that never answers Hello ends at the deadline', async () => {
    const path = await listen((line, write) => line.includes('AUTH') && write('OK 1234deadbeef\r\n'));
    await expect(connect([path], { timeoutMs: 100 })).rejects.toThrowError(/did not answer Hello/);
  });

  it('to a bus that rejects this user says so', async () => {
    const path = await listen((line, write) => line.includes('AUTH') && write('REJECTED EXTERNAL\r\n'));
    await expect(connect([path], { timeoutMs: 500 })).rejects.toMatchObject({ code: 'E_NO_BUS' });
  });
});

describeWithBus('a bus connection', () => {
  let daemon: Daemon;
  let bus: Bus;
  beforeEach(async () => {
    daemon = await startDaemon({ maxRepliesPerConnection: 40, maxConnectionsPerUser: 6 });
    bus = await connect(['/nonexistent/bus', daemon.path]);
  });
  afterEach(async () => {
    bus.close();
    await daemon.stop();
  });

  it('has a unique name', () => {
    expect(bus.uniqueName).toMatch(/^:\d+\.\d+$/);
  });

  it('carries 64-bit values exactly, unwraps variants and keeps small numbers as numbers', async () => {
    const peer = await startPeer(daemon.path);
    const got: unknown[] = [];
    await bus.subscribe({ interface: 'test.Values' }, (signal) => got.push(...signal.body));
    const dictionary = {
      a: new Variant('t', 2n ** 64n - 1n),
      b: new Variant('a(su)', [['x', 7]]),
      c: new Variant('a{sv}', { d: new Variant('v', new Variant('s', 'nested')) }),
    };
    const body = [
      2n ** 64n - 1n,
      -(2n ** 63n) + 1n,
      4294967295,
      true,
      dictionary,
      [1n, 2n ** 53n + 1n],
      Buffer.from([0, 255]),
    ];
    peer.send(Message.newSignal('/a', 'test.Values', 'Here', 'txuba{sv}atay', body));
    await expect.poll(() => got).toHaveLength(7);
    expect(got).toEqual([
      2n ** 64n - 1n,
      -(2n ** 63n) + 1n,
      4294967295,
      true,
      { a: 18446744073709551615n, b: [['x', 7]], c: { d: 'nested' } },
      [1n, 2n ** 53n + 1n],
      Buffer.from([0, 255]),
    ]);
  });

  it('sends 64-bit values exactly, as variants with their signature', async () => {
    const fake = await FakeSystemd.start(daemon.path);
    const properties = [
      ['MemoryMax', variant('t', 2n ** 64n - 1n)],
      ['CPUWeight', variant('t', 2n ** 53n + 1n)],
      ['PIDs', variant('au', [0, 4294967295])],
      ['AllowedCPUs', variant('ay', Uint8Array.of(1, 128))],
    ];
    await bus.call(managerCall('StartTransientUnit', 'ssa(sv)a(sa(sv))', ['a.scope', 'fail', properties, []]));
    expect(fake.callsOf('StartTransientUnit')[0]?.body[2]).toEqual([
      ['MemoryMax', { signature: 't', value: 18446744073709551615n }],
      ['CPUWeight', { signature: 't', value: 9007199254740993n }],
      ['PIDs', { signature: 'au', value: [0, 4294967295] }],
      ['AllowedCPUs', { signature: 'ay', value: Buffer.from([1, 128]) }],
    ]);
    fake.disconnect();
  });

  it.each([
    ['t', -1n],
    ['t', 2n ** 64n],
    ['t', 2 ** 53],
    ['u', 2 ** 32],
    ['u', 1.5],
    ['s', 7],
    ['s', 'a\0b'],
    ['as', 'a'],
    ['b', 'yes'],
    ['s', null],
  ])('refuses to send as %s the value %s, and goes on', async (signature, value) => {
    await expect(bus.call(daemonCall('NameHasOwner', signature, [value]))).rejects.toMatchObject({ code: 'E_INPUT' });
    await expect(bus.call(daemonCall('NameHasOwner', 's', [DAEMON]))).resolves.toEqual([true]);
  });

  it('refuses an object path for which the daemon would end the connection', async () => {
    await expect(bus.call({ ...daemonCall('GetId'), path: '/a//b' })).rejects.toMatchObject({ code: 'E_INPUT' });
    expect(bus.isClosed).toBe(false);
  });

  it('gives an error reply as E_BUS with its name, its text and what it was about', async () => {
    const call = bus.call({ ...daemonCall('X'), destination: 'no.such.Name' }, { about: 'a.scope' });
    await expect(call).rejects.toMatchObject({ code: 'E_BUS', data: { name: `${DAEMON}.Error.ServiceUnknown` } });
    await expect(call).rejects.toThrowError(/^no\.such\.Name refused X of "a\.scope": "/);
  });

  it("gives the daemon's AccessDenied as E_PRIVILEGE and does not spoil later calls", async () => {
    await expect(bus.call({ ...daemonCall('X'), interface: 'test.Denied' })).rejects.toMatchObject({
      code: 'E_PRIVILEGE',
    });
    await expect(bus.call(daemonCall('NameHasOwner', 's', [DAEMON]))).resolves.toEqual([true]);
  });

  it('ends a call that is never answered at its deadline, and drops a late answer', async () => {
    const fake = await FakeSystemd.start(daemon.path);
    fake.behaviour.silent.add('Subscribe');
    const call = bus.call(managerCall('Subscribe'), { timeoutMs: 50, about: 'it' });
    await expect(call).rejects.toMatchObject({ code: 'E_TIMEOUT', data: { about: 'it', timeoutMs: 50 } });
    fake.disconnect(); // The daemon now answers NoReply for it.
    await expect(bus.call(daemonCall('NameHasOwner', 's', [DAEMON]))).resolves.toEqual([true]);
  });

  it('rejects all calls, sent and queued, when the daemon is killed, and later ones at once', async () => {
    const fake = await FakeSystemd.start(daemon.path);
    fake.behaviour.silent.add('Subscribe');
    const closed = new Promise((resolve) => bus.onClosed(resolve));
    const calls = Array.from({ length: 40 }, () => bus.call(managerCall('Subscribe')));
    const results = Promise.allSettled(calls);
    await daemon.kill();
    const errors = (await results).map((each) => (each.status === 'rejected' ? each.reason : undefined));
    expect(new Set(errors.map(code))).toEqual(new Set(['E_BUS_LOST']));
    expect(errors.filter((error) => error.data.sent === true)).toHaveLength(32);
    expect(code(await closed)).toBe('E_BUS_LOST');
    expect(bus.isClosed).toBe(true);
    const start = performance.now();
    await expect(bus.call(daemonCall('GetId'))).rejects.toMatchObject({ code: 'E_BUS_LOST', data: { sent: false } });
    expect(performance.now() - start).toBeLessThan(50);
  });

  it('makes 500 calls at once on a daemon that allows 40 pending replies', async () => {
    const fake = await FakeSystemd.start(daemon.path);
    fake.units.set('a.scope', { properties: new Map(), activeState: 'active', refs: 0 });
    const replies = await Promise.all(
      Array.from({ length: 500 }, () => bus.call(managerCall('GetUnit', 's', ['a.scope']))),
    );
    expect(new Set(replies.map(([path]) => path))).toEqual(new Set(['/org/freedesktop/systemd1/unit/a_2escope']));
    fake.disconnect();
  });

  it('comes to terms with a daemon at its limit of connections when one leaves', async () => {
    const others = await Promise.all(Array.from({ length: 5 }, () => connect([daemon.path])));
    const late = connect([daemon.path]);
    setTimeout(() => others[0]?.close(), 150);
    (await late).close();
    for (const other of others) other.close();
  });

  it('rejects what is under way when it is closed, and may be closed twice', async () => {
    const call = bus.call(daemonCall('GetId'));
    bus.close();
    bus.close();
    await expect(call).rejects.toMatchObject({ code: 'E_BUS_LOST' });
    await expect(bus.subscribe({ member: 'X' }, () => undefined)).rejects.toMatchObject({ code: 'E_BUS_LOST' });
  });

  it('survives a signal that cannot be decoded, and gets the next one', async () => {
    const got: unknown[] = [];
    await bus.subscribe({ interface: 'test.Values', member: 'After' }, (signal) => got.push(signal.body));
    const peer = await startPeer(daemon.path);
    peer.write(undecodable(bus.uniqueName));
    peer.send(Message.newSignal('/a', 'test.Values', 'After', 's', ['after']));
    await expect.poll(() => got).toEqual([['after']]);
    expect(bus.isClosed).toBe(false);
  });

  it.each([
    ['that is idle lets', '', false],
    ['with a call under way does not let', 'void bus.call(call).catch(() => undefined);', true],
    ['that is held does not let', 'bus.hold();', true],
  ])('%s the process end', { timeout: 20_000 }, async (_, more, isAlive) => {
    const script = `
      const { connect } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/dbus/bus.ts'))});
      const bus = await connect([${JSON.stringify(daemon.path)}]);
      const call = ${JSON.stringify(managerCall('Subscribe'))};
      ${more}
      console.log('ready');`;
    const fake = await FakeSystemd.start(daemon.path);
    fake.behaviour.silent.add('Subscribe');
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit').then(() => false);
    await once(child.stdout, 'data');
    const alive = new Promise((resolve) => setTimeout(resolve, isAlive ? 700 : 10_000, true));
    expect(await Promise.race([exited, alive])).toBe(isAlive);
    child.kill('SIGKILL');
    await exited;
    fake.disconnect();
  });
});

/** A peer made of dbus-next's own high level, to send what no systemd sends. */
async function startPeer(path: string): Promise<{ send(message: Message): void; write(data: Buffer): void }> {
  const peer = sessionBus({ busAddress: `unix:socket=${path}` });
  await new Promise<void>((resolve) => peer.on('connect', resolve));
  const { stream } = (peer as unknown as { _connection: { stream: { write(data: Buffer): void } } })._connection;
  return { send: (message) => peer.send(message), write: (data) => stream.write(data) };
}

/** A signal with a file descriptor that is not there. The daemon lets it pass and dbus-next's decoder throws. */
function undecodable(destination: string): Buffer {
  const fields = { type: 4, serial: 1000, path: '/a', interface: 'test.Values', member: 'Bad', destination };
  const [data] = compat.marshallMessage({ ...fields, signature: 'u', body: [0] });
  data[data.indexOf(Buffer.from([1, 0x75, 0])) + 1] = 'h'.charCodeAt(0);
  return data;
}
