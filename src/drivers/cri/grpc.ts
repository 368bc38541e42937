import { connect, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { errnoOf, quote } from '../../core/errors.ts';

/** gRPC's own numbers, https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const UNIMPLEMENTED = 12;
const DEADLINE_EXCEEDED = 4;

/** Why there is no answer. */
export interface GrpcFailure {
  readonly reason: 'absent' | 'refused' | 'denied' | 'timeout' | 'unimplemented' | 'error';
  /** One sentence that names the socket. */
  readonly message: string;
  /** What the other side said, where it said something. */
  readonly detail: string;
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: GrpcFailure };

export interface Call {
  /** The unix socket on this host. */
  readonly socket: string;
  /** `/runtime.v1.RuntimeService/Version` */
  readonly method: string;
  readonly request: Uint8Array;
  readonly deadlineMs: number;
}

/** No answer of the CRI comes near to this; what claims to be larger is none. */
const MOST_BYTES = 64 * 2 ** 20;

/** One unary call over a connection of its own. Never rejects: that nobody answers is an answer to those who look. */
export function grpcCall({ socket, method, request, deadlineMs }: Call): Promise<Answer<Uint8Array>> {
  return new Promise((resolve) => {
    const link = connectSocket({ path: socket });
    const session = connect('http://localhost', { createConnection: () => link });
    const timer = setTimeout(() => fail('timeout', `does not answer within ${deadlineMs / 1000} s`), deadlineMs);
    const finish = (answer: Answer<Uint8Array>): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    const fail = (reason: GrpcFailure['reason'], what: string, detail = ''): void =>
      finish({ ok: false, failure: { reason, message: `${quote(socket)} ${what}`, detail } });
    const broken = (error: unknown): void => fail(...failureOf(error));
    // The socket's own error comes first and says why; HTTP/2 then only says that it was cut off.
    link.on('error', broken);
    session.on('error', broken);
    session.on('close', () => fail('error', 'closed the connection without an answer'));
    const stream = session.request({
      ':method': 'POST',
      ':path': method,
      'content-type': 'application/grpc',
      'grpc-timeout': `${Math.ceil(deadlineMs)}m`,
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    stream.on('error', broken);
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MOST_BYTES) fail('error', `answered with more than ${MOST_BYTES} bytes`);
    });
    stream.on('end', () => finish(readAnswer(socket, { ...headers, ...trailers }, Buffer.concat(chunks))));
    stream.end(frame(request));
  });
}

function readAnswer(socket: string, headers: IncomingHttpHeaders, body: Buffer): Answer<Uint8Array> {
  const failed = (reason: GrpcFailure['reason'], what: string, detail = ''): Answer<never> => ({
    ok: false,
    failure: { reason, message: `${quote(socket)} ${what}`, detail },
  });
  if (headers['grpc-status'] === undefined) return failed('error', 'answers, but not as gRPC');
  const status = Number(headers['grpc-status']);
  if (status !== 0) {
    const detail = percentDecoded(String(headers['grpc-message'] ?? ''));
    if (status === UNIMPLEMENTED) return failed('unimplemented', `does not offer this call (${detail})`, detail);
    if (status === DEADLINE_EXCEEDED) return failed('timeout', 'did not get its answer ready in time', detail);
    return failed('error', `answered with the error ${status}: ${detail}`, detail);
  }
  if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5) {
    return failed('error', 'answered with a message that is cut or compressed');
  }
  return { ok: true, value: body.subarray(5) };
}

/** A message on the wire: not compressed, its length, itself. */
function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function failureOf(error: unknown): [reason: GrpcFailure['reason'], what: string, detail: string] {
  const errno = errnoOf(error);
  const detail = error instanceof Error ? error.message : String(error);
  if (errno === 'ENOENT') return ['absent', 'does not exist', detail];
  if (errno === 'ECONNREFUSED') return ['refused', 'exists, but nothing listens on it', detail];
  if (errno === 'EACCES' || errno === 'EPERM') return ['denied', 'may not be used by this user', detail];
  return ['error', `broke the connection (${errno ?? detail})`, detail];
}

/** Messages are percent-encoded UTF-8; one that is not is shown as it came. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
