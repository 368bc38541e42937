import type { IndexSet } from '../../core/cpuset.ts';
import type { Task } from '../../host/tasks.ts';
import type { CpuFacts } from '../model.ts';

/** User tasks that may run on fewer CPUs than their group though nothing says why. */
export interface Ghost {
  /** The unit whose group it is; undefined for a group that systemd did not make. */
  readonly unit: string | undefined;
  readonly cgroup: string;
  readonly allowed: IndexSet;
  /** What their group has. */
  readonly open: IndexSet;
  readonly tasks: readonly Task[];
}

export type GhostFacts = Pick<CpuFacts, 'tasks' | 'groups' | 'topology' | 'units' | 'kernelLine'>;

/** Finds them, group by group. A task with an affinity of its own looks the same: only a cure tells them apart. */
export function ghosts(_facts: GhostFacts): readonly Ghost[] {
  return [];
}
