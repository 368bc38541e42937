import { request } from 'node:http';
import { errnoOf } from '../../core/errors.ts';

export type ApiAnswer =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      /** In words, to follow `Docker on /run/docker.sock`: `does not answer within 5 s`. */
      readonly reason: string;
      /** The caller may not connect. */
      readonly denied: boolean;
    };

const TIMEOUT_MS = 5_000;
const MOST_BYTES = 64 * 1024 * 1024;

/** Making and starting a container takes longer than telling something. */
const CALL_TIMEOUT_MS = 30_000;

/** One GET of Docker's API over a unix socket. Always answers, within the deadline. */
export function getDocker(socket: string, path: string, timeoutMs = TIMEOUT_MS): Promise<ApiAnswer> {
  return callDocker(socket, 'GET', path, undefined, timeoutMs);
}

/** One call of Docker's API. Always answers, within the deadline. */
export function callDocker(
  socket: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<ApiAnswer> {
  return new Promise((resolve) => {
    const fail = (reason: string, denied = false): void => resolve({ ok: false, reason, denied });
    const late = `does not answer within ${timeoutMs / 1000} s`;
    const signal = AbortSignal.timeout(timeoutMs);
    const json = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const asked = request(
      { socketPath: socket, method, path, headers: { Host: 'docker', ...json }, agent: false, signal },
      (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > MOST_BYTES) {
            fail('answers more than can be read');
            response.destroy();
          } else parts.push(part);
        });
        response.on('error', (error) => fail(signal.aborted ? late : words(error)));
        response.on('end', () => resolve(understand(response.statusCode ?? 0, Buffer.concat(parts).toString('utf8'))));
      },
    );
    asked.on('error', (error) => fail(signal.aborted ? late : words(error), errnoOf(error) === 'EACCES'));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function understand(status: number, text: string): ApiAnswer {
  const value = parse(text);
  if (status >= 200 && status < 300) return { ok: true, value: value ?? text };
  const message = (value as { message?: unknown } | undefined)?.message;
  const said = typeof message === 'string' ? `: ${message.split('\n')[0]}` : '';
  return { ok: false, reason: `answers with status ${status}${said}`, denied: status === 403 };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function words(error: Error): string {
  const code = errnoOf(error);
  switch (code) {
    case 'ENOENT':
      return 'is not there';
    case 'ECONNREFUSED':
      return 'refuses connections';
    case 'EACCES':
      return 'may not be used by this user';
    case 'ECONNRESET':
      return 'closed the connection';
    default:
      return `cannot be asked (${code ?? error.message})`;
  }
}
