import { errnoOf } from '../core/errors.ts';
import { sendSignal } from '../host/signals.ts';
import { refused } from './refusal.ts';

/** How long a group may take to stand still before it is hit while it runs. */
const STILL_MS = 500;

export interface Freezer {
  freeze(signal: AbortSignal): Promise<void>;
  thaw(): void;
}

/**
 * SIGKILL to every process, one by one, while none of them can fork: the group is frozen, hit, and thawed to die.
 * `cause` is why the kernel's own way (cgroup.kill) could not be used; anything but its absence is an error.
 * False where the kernel refused a signal.
 */
export async function strikeEach(
  cause: unknown,
  path: string,
  pids: () => readonly number[],
  freezer: Freezer,
): Promise<boolean> {
  const code = errnoOf(cause);
  if (cause !== undefined && code !== 'ENOENT' && code !== 'ENODEV') throw refused(cause, { what: 'write', path });
  try {
    await freezer.freeze(AbortSignal.timeout(STILL_MS));
  } catch (error) {
    // Without a freezer, or with a process deep in the kernel, it is hit running, and the caller strikes again.
    if (!isExpected(error)) throw error;
  }
  try {
    return pids()
      .map((pid) => sendSignal(pid, 'SIGKILL'))
      .every((delivery) => delivery !== 'refused');
  } finally {
    freezer.thaw();
  }
}

function isExpected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ['AbortError', 'TimeoutError'].includes(error.name) || ('code' in error && error.code === 'E_CONTROLLER');
}
