import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../../core/errors.ts';

const PAUSE_MS = 1_000;

/**
 * Does work that looks at the host and changes it, again and anew as long as another change is at work or came between,
 * until patience ends. For whoever is started by systemd or by a hook, and has nobody that would try again.
 */
export async function whenFree<T>(work: () => Promise<T>, patienceMs: number, pauseMs = PAUSE_MS): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isBusy = error instanceof SlicectlError && ['E_LOCKED', 'E_CHANGED'].includes(error.code);
      if (!isBusy || performance.now() > deadline) throw error;
    }
    await sleep(pauseMs);
  }
}
