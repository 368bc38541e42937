import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, quote, SlicectlError } from '../core/errors.ts';
import type { Bus } from './types.ts';

export interface DialOptions {
  /** For each attempt at a path, authentication and Hello included. Default 25 s. */
  readonly timeoutMs?: number;
}

// As for calls (BUS_DEFAULT_TIMEOUT of sd-bus): a host under pressure is where limits are needed.
const DEFAULT_TIMEOUT_MS = 25_000;

// A full listen queue gives EAGAIN when hundreds of clients start together; the figures are those of
// opencontainers/cgroups PR 45. A daemon at its limit of connections refuses Hello, for the same reason.
const TRIES = 7;
const FIRST_PAUSE_MS = 100;
const JITTER = 0.125;

function isCrowded(error: unknown): boolean {
  return (
    errnoOf(error) === 'EAGAIN' ||
    (error instanceof SlicectlError && error.data.name === 'org.freedesktop.DBus.Error.LimitsExceeded')
  );
}

function pauseMs(attempt: number): number {
  return FIRST_PAUSE_MS * 2 ** attempt * (1 + JITTER * (2 * Math.random() - 1));
}

async function persist(open: () => Promise<Bus>): Promise<Bus> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await open();
    } catch (error) {
      if (!isCrowded(error) || attempt + 1 >= TRIES) throw error;
      await sleep(pauseMs(attempt));
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such socket',
  ECONNREFUSED: 'nobody listens',
  EACCES: 'permission denied',
  EAGAIN: 'too many clients wait there',
};

function reasonOf(error: unknown): string {
  const known = REASONS[errnoOf(error) ?? ''];
  if (known !== undefined) return known;
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
}

/** Tries each path in turn and a crowded one again; gives the first connection, or `E_NO_BUS` with all reasons. */
export async function dial(
  paths: readonly string[],
  options: DialOptions,
  open: (path: string, timeoutMs: number) => Promise<Bus>,
): Promise<Bus> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const failures: { path: string; reason: string; error: unknown }[] = [];
  for (const path of paths) {
    try {
      return await persist(() => open(path, timeoutMs));
    } catch (error) {
      failures.push({ path, reason: reasonOf(error), error });
    }
  }
  const list = failures.map(({ path, reason }) => `${quote(path)}: ${reason}`).join('; ');
  throw new SlicectlError('E_NO_BUS', `no message bus answers (${list || 'no address is known'})`, {
    hint: 'is systemd running here? A user bus needs a login session or lingering: loginctl enable-linger',
    data: { paths: failures.map(({ path, reason }) => ({ path, reason })) },
    cause: failures[0]?.error,
  });
}
