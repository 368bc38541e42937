import { connect as openSocket, type Socket } from 'node:net';
import handshake from 'dbus-next/lib/handshake.js';
import compat from 'dbus-next/lib/marshall-compat.js';
import messages from 'dbus-next/lib/message.js';
import messageType from 'dbus-next/lib/message-type.js';
import variants from 'dbus-next/lib/variant.js';
import { quote, SlicectlError } from '../core/errors.ts';
import { Client, type Incoming, type Wire } from './client.ts';
import { type DialOptions, dial } from './dial.ts';
import type { Bus, Call } from './types.ts';
import { Variant } from './values.ts';

export type { Bus, Call, CallOptions, MatchRule, Signal } from './types.ts';
export { variant } from './values.ts';

export interface ConnectOptions extends DialOptions {
  /** Gets what a signal handler or an `onClosed` listener throws; without it that is dropped. */
  readonly onHandlerError?: (error: unknown) => void;
  /** For calls that name no deadline of their own. Default 25 s. */
  readonly callTimeoutMs?: number;
}

/**
 * Connects to the first bus of `paths` (see `address.ts`) that answers. Rejects with `E_NO_BUS`, naming each path and
 * its reason, which includes one that does not answer Hello within the deadline.
 */
export function connect(paths: readonly string[], options: ConnectOptions = {}): Promise<Bus> {
  const onHandlerError = options.onHandlerError ?? (() => undefined);
  return dial(paths, options, (path, timeoutMs) => open(path, timeoutMs, onHandlerError, options.callTimeoutMs));
}

// dbus-next is used for its wire format and authentication only. Its connection cuts addresses at ':' and '=' (a
// folder's name may hold both) and its MessageBus ends the process with an unhandled rejection when Hello is refused,
// which a daemon at its connection limit does.
async function open(
  path: string,
  timeoutMs: number,
  onHandlerError: (error: unknown) => void,
  callTimeoutMs: number | undefined,
): Promise<Bus> {
  const socket = openSocket({ path });
  const client = new Client(wireOver(socket), onHandlerError, callTimeoutMs);
  const deadline = Date.now() + timeoutMs;
  let failure: unknown;
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => client.lost(connectionEnded(path, failure)));
  try {
    await authenticate(socket, timeoutMs);
    readMessages(socket, (message) => client.receive(message));
    await client.hello(Math.max(1, deadline - Date.now()));
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

function connectionEnded(path: string, failure: unknown): SlicectlError {
  const why = failure instanceof Error ? `: ${failure.message}` : '';
  return new SlicectlError('E_BUS_LOST', `the bus at ${quote(path)} ended the connection${why}`, {
    data: { path },
    ...(failure !== undefined && { cause: failure }),
  });
}

function authenticate(socket: Socket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    const settle = (failure: unknown): void => {
      clearTimeout(timer);
      if (failure === null || failure === undefined) resolve();
      else reject(failure instanceof Error ? failure : new Error(`authentication failed: ${String(failure)}`));
    };
    socket.once('error', settle);
    socket.once('close', () => settle(new Error('the bus ended the connection during authentication')));
    socket.once('connect', () => handshake(socket, { authMethods: ['EXTERNAL'] }, settle));
  });
}

function wireOver(socket: Socket): Wire {
  return {
    send(serial, call) {
      const data = encode(serial, call);
      // What is asked in one turn goes out in one system call.
      if (socket.writableCorked === 0) {
        socket.cork();
        queueMicrotask(() => socket.uncork());
      }
      socket.write(data);
    },
    end() {
      // end() first, so that what was written is still sent; destroy() alone would drop it.
      socket.end(() => socket.destroy());
      socket.unref();
    },
    ref: () => socket.ref(),
    unref: () => socket.unref(),
  };
}

// A new message for each sending: encoding replaces the body.
function encode(serial: number, call: Call): Buffer {
  const body = (call.body ?? []).map(toWire);
  const message = new messageType.Message({ ...call, signature: call.signature ?? '', body, serial });
  const [data] = compat.marshallMessage(message);
  return data;
}

function toWire(value: unknown): unknown {
  if (value instanceof Variant) return new variants.Variant(value.signature, toWire(value.value));
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new Error(`${value} is beyond 2^53, where a bigint is needed`);
  }
  if (Array.isArray(value)) return value.map(toWire);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toWire(each)]));
}

function fromWire(value: unknown): unknown {
  if (value instanceof variants.Variant) return fromWire(value.value);
  if (Array.isArray(value)) return value.map(fromWire);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fromWire(each)]));
}

const KINDS: readonly (Incoming['kind'] | undefined)[] = [undefined, 'call', 'return', 'error', 'signal'];
const MAX_BAD_MESSAGES = 100;

function readMessages(socket: Socket, receive: (message: Incoming) => void): void {
  // The decoder throws out of its 'readable' listener, for example on a file descriptor, which any client of the system
  // bus may send to any other. It has consumed the message then, and can go on with the next.
  const guard = (listener: () => void) => (): void => {
    for (let bad = 0; ; bad += 1) {
      try {
        listener();
        return;
      } catch (error) {
        if (bad >= MAX_BAD_MESSAGES) {
          socket.destroy(error instanceof Error ? error : new Error(String(error)));
          return;
        }
      }
    }
  };
  const source = {
    on: (event: 'readable', listener: () => void) => socket.on(event, guard(listener)),
    // After the end of the stream read() gives what is left, which would be taken for a whole message.
    read: (size: number): Buffer | null => {
      const chunk: unknown = socket.read(size);
      return Buffer.isBuffer(chunk) && chunk.length === size ? chunk : null;
    },
  };
  messages.unmarshalMessages(
    source,
    (raw) => {
      const kind = KINDS[raw.type ?? 0];
      if (kind === undefined) return; // Unknown types must be ignored (D-Bus Specification, Message Format).
      const { body = [], ...fields } = compat.messageToJsFmt({ ...raw });
      receive({
        kind,
        replySerial: fields.replySerial ?? 0,
        errorName: fields.errorName ?? '',
        sender: fields.sender ?? '',
        path: fields.path ?? '',
        interface: fields.interface ?? '',
        member: fields.member ?? '',
        body: body.map(fromWire),
      });
    },
    {},
  );
}
