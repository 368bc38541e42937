import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type IndexSet, printIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';

export interface AffinityOptions {
  /** All threads of the process, not the one alone. */
  readonly allThreads?: boolean;
}

/** Gives a task an affinity of its own (sched_setaffinity(2)). False for one that refuses or has ended. */
export async function setAffinity(
  tid: number,
  set: IndexSet,
  { allThreads = false }: AffinityOptions = {},
): Promise<boolean> {
  const threads = allThreads ? ['--all-tasks'] : [];
  try {
    await promisify(execFile)('taskset', [...threads, '--pid', '--cpu-list', printIndexSet(set), String(tid)]);
    return true;
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    if (error.code !== 'ENOENT') return false;
    throw new SlicectlError('E_NOT_IN_FORCE', 'tasks are moved by taskset(1), which is not here', {
      hint: 'install util-linux',
      cause: error,
    });
  }
}
