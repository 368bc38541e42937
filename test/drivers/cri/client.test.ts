import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Http2Server } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CriClient } from '../../../src/drivers/cri/client.ts';
import { decodeMessage, encodeMessage, mapOf, numberOf, stringOf } from '../../../src/drivers/cri/protobuf.ts';

interface Reply {
  readonly body?: Uint8Array;
  readonly status?: number;
  readonly message?: string;
}

let folder: string;
let server: Http2Server;
let asked: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slicectl-cri-'));
  asked = [];
});

afterEach(async () => {
  await new Promise((done) => (server?.listening ? server.close(done) : done(undefined)));
  rmSync(folder, { recursive: true });
});

/** A runtime that answers each method as the table says, and every other one as gRPC servers do. */
async function runtime(replies: Readonly<Record<string, Reply | 'silence'>>): Promise<CriClient> {
  server = createServer();
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path']);
    asked.push(path);
    const [, service = '', method = ''] = path.split('/');
    const reply = replies[path] ??
      replies[method] ?? { status: 12, message: `unknown method ${method} for service ${service}` };
    if (reply === 'silence') return;
    const { body, status = 0, message = '' } = reply;
    const trailers = { 'grpc-status': String(status), 'grpc-message': encodeURIComponent(message) };
    if (body === undefined) {
      stream.respond({ 'content-type': 'application/grpc', ...trailers }, { endStream: true });
      return;
    }
    stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([head, body]));
  });
  const socket = join(folder, 'cri.sock');
  await new Promise<void>((done) => server.listen(socket, done));
  return new CriClient(socket, 2_000);
}

const message = encodeMessage;

describe('calls', () => {
  it('reads the version', async () => {
    const body = message([
      [1, '0.1.0'],
      [2, 'containerd'],
      [3, '1.7.24~ds1'],
      [4, 'v1'],
    ]);
    const client = await runtime({ Version: { body } });
    expect(await client.version()).toEqual({
      ok: true,
      value: { runtimeName: 'containerd', runtimeVersion: '1.7.24~ds1', apiVersion: 'v1' },
    });
    expect(asked).toEqual(['/runtime.v1.RuntimeService/Version']);
  });

  it.each([
    ['systemd, which is 0 and left out on the wire', message([[1, message([])]]), 'systemd'],
    ['cgroupfs', message([[1, message([[1, 1n]])]]), 'cgroupfs'],
    ['no word on Linux', message([]), undefined],
  ])('reads the driver: %s', async (_, body, driver) => {
    const client = await runtime({ RuntimeConfig: { body } });
    expect(await client.runtimeConfig()).toEqual({ ok: true, value: driver });
  });

  it('reads conditions and what the runtime says of itself', async () => {
    const condition = message([
      [1, 'RuntimeReady'],
      [2, true],
      [4, 'fine'],
    ]);
    const info = message([
      [1, 'config'],
      [2, '{"a":1}'],
    ]);
    const client = await runtime({
      Status: {
        body: message([
          [1, message([[1, condition]])],
          [2, info],
        ]),
      },
    });
    expect(await client.status()).toEqual({
      ok: true,
      value: {
        conditions: [{ type: 'RuntimeReady', ok: true, message: 'fine' }],
        info: new Map([['config', '{"a":1}']]),
      },
    });
  });

  it('lists pods and containers, ready or not', async () => {
    const metadata = message([
      [1, 'coredns'],
      [3, 'kube-system'],
    ]);
    const pods = message([
      [
        1,
        message([
          [1, 'p1'],
          [2, metadata],
          [7, 'nvidia'],
        ]),
      ],
      [
        1,
        message([
          [1, 'p2'],
          [2, metadata],
          [3, 1n],
        ]),
      ],
    ]);
    const container = message([
      [1, 'c1'],
      [2, 'p1'],
      [3, message([[1, 'dns']])],
      [6, 1n],
    ]);
    const client = await runtime({
      ListPodSandbox: { body: pods },
      ListContainers: { body: message([[1, container]]) },
    });
    const pod = { namespace: 'kube-system', name: 'coredns' };
    expect(await client.pods()).toEqual({
      ok: true,
      value: [
        { ...pod, id: 'p1', isReady: true, handler: 'nvidia' },
        { ...pod, id: 'p2', isReady: false, handler: '' },
      ],
    });
    expect(await client.containers()).toEqual({
      ok: true,
      value: [{ id: 'c1', podId: 'p1', name: 'dns', isRunning: true }],
    });
  });

  it('asks the older service where the newer one is unknown', async () => {
    const client = await runtime({
      '/runtime.v1.RuntimeService/Version': { status: 12, message: 'unknown service runtime.v1.RuntimeService' },
      '/runtime.v1alpha2.RuntimeService/Version': { body: message([[3, '1.4.13']]) },
    });
    expect(await client.version()).toMatchObject({ ok: true, value: { runtimeVersion: '1.4.13' } });
  });
});

describe('no answer', () => {
  it('says that a call is not offered, with what the runtime said', async () => {
    const client = await runtime({});
    expect(await client.runtimeConfig()).toMatchObject({
      ok: false,
      failure: {
        reason: 'unimplemented',
        detail: 'unknown method RuntimeConfig for service runtime.v1.RuntimeService',
      },
    });
    expect(asked).toHaveLength(1);
  });

  it('says that the CRI is not offered at all', async () => {
    const client = await runtime({
      '/runtime.v1.RuntimeService/Version': { status: 12, message: 'unknown service runtime.v1.RuntimeService' },
    });
    expect(await client.version()).toMatchObject({
      ok: false,
      failure: { reason: 'unimplemented', detail: 'unknown service runtime.v1.RuntimeService' },
    });
  });

  it('passes on errors with their text', async () => {
    const client = await runtime({ Version: { status: 2, message: 'é: not ready' } });
    expect(await client.version()).toMatchObject({
      ok: false,
      failure: { reason: 'error', message: expect.stringContaining('answered with the error 2: é: not ready') },
    });
  });

  it.each([
    ['a message that is cut', { body: new Uint8Array([0x0a, 0x7f, 1]) }],
    ['a field of a kind that does not exist', { body: new Uint8Array([0x0f]) }],
  ])('takes %s for an error', async (_, reply) => {
    const client = await runtime({ Version: reply });
    expect(await client.version()).toMatchObject({ ok: false, failure: { reason: 'error' } });
  });

  it('ends at its deadline', async () => {
    const { socket } = await runtime({ Version: 'silence' });
    expect(await new CriClient(socket, 50).version()).toMatchObject({ ok: false, failure: { reason: 'timeout' } });
  });

  it('says that there is no socket', async () => {
    const socket = join(folder, 'none');
    expect(await new CriClient(socket).version()).toMatchObject({
      ok: false,
      failure: { reason: 'absent', message: `"${socket}" does not exist` },
    });
  });

  it('says that nothing listens', async () => {
    expect(await new CriClient(folder).version()).toMatchObject({ ok: false, failure: { reason: 'refused' } });
  });
});

describe('messages', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.string({ unit: 'grapheme' }),
        fc.bigInt({ min: 0n, max: 2n ** 53n }),
        (number, text, value) => {
          const entry = encodeMessage([
            [1, text],
            [2, text],
          ]);
          const fields = decodeMessage(
            encodeMessage([
              [number, text],
              [number + 1, value],
              [number + 2, entry],
            ]),
          );
          expect(stringOf(fields, number)).toBe(text);
          expect(numberOf(fields, number + 1)).toBe(Number(value));
          expect(mapOf(fields, number + 2)).toEqual(new Map([[text, text]]));
        },
      ),
    );
  });

  it('are read or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          decodeMessage(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
