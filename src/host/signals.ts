import { errnoOf } from '../core/errors.ts';

/** `gone`: no such process any more. `refused`: the kernel does not let us signal it (EPERM). */
export type Delivery = 'sent' | 'gone' | 'refused';

/** Signals one process. Pids below 1 mean whole process groups to kill(2) and are never passed on. */
export function sendSignal(pid: number, signal: NodeJS.Signals): Delivery {
  if (!Number.isInteger(pid) || pid < 1) return 'refused';
  try {
    process.kill(pid, signal);
    return 'sent';
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ESRCH') return 'gone';
    if (code === 'EPERM') return 'refused';
    throw error;
  }
}
