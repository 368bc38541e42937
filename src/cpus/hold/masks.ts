import { equalSets, type IndexSet, intersection, isSubset, parseIndexSet, printIndexSet } from '../../core/cpuset.ts';
import { errnoOf } from '../../core/errors.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import { readTasksBelow, type Task } from '../../host/tasks.ts';
import type { SetName } from './parameters.ts';
import { GroupSets, KINDS } from './sets.ts';

/** A user task, and the set that it may use. */
export interface TaskSet extends Pick<Task, 'tid' | 'pid' | 'name'> {
  readonly cgroup: string;
  readonly allowed: IndexSet;
}

/**
 * The user tasks in a group and below that can run: without those that have ended and are not reaped yet, and without
 * I/O workers of processes, which refuse to be moved and follow their process. Threads count by their own group.
 */
export function tasksBelow(paths: HostPaths, cgroup: string, name: SetName): readonly TaskSet[] {
  const { mount } = new GroupSets(paths, name);
  return readTasksBelow(paths, `${mount}${cgroup === '/' ? '' : cgroup}`).flatMap((task): TaskSet[] => {
    if (!canRun(task) || task.cgroup === undefined) return [];
    const allowed = name === 'AllowedCPUs' ? task.allowed : nodesOf(paths, task);
    return allowed === undefined
      ? []
      : [{ tid: task.tid, pid: task.pid, name: task.name, cgroup: task.cgroup, allowed }];
  });
}

export function canRun({ kind, state, noSetAffinity }: Task): boolean {
  return kind === 'user' && !'ZXx'.includes(state) && !noSetAffinity;
}

export function isBelow(cgroup: string, above: string): boolean {
  return above === '/' || cgroup === above || cgroup.startsWith(`${above}/`);
}

/** Undefined for a task that ended meanwhile. */
function nodesOf({ proc }: HostPaths, { pid, tid }: Task): IndexSet | undefined {
  try {
    const status = readIfThere(`${proc}/${pid}/task/${tid}/status`) ?? '';
    const text = new RegExp(`^${KINDS.AllowedMemoryNodes.ofTask}:\\s*(.*)$`, 'm').exec(status)?.[1];
    return text === undefined ? undefined : parseIndexSet(text, KINDS.AllowedMemoryNodes.ofTask);
  } catch (error) {
    if (['ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Those that may use something outside of the set. */
export function outside(tasks: readonly TaskSet[], set: IndexSet): readonly TaskSet[] {
  return tasks.filter(({ allowed }) => !isSubset(allowed, set));
}

/** Those that have no more of what is online than `left`, where their group has more. */
export function narrowed(
  tasks: readonly TaskSet[],
  left: IndexSet,
  groups: GroupSets,
  online: IndexSet,
): readonly TaskSet[] {
  return tasks.filter(({ allowed, cgroup }) => {
    const own = intersection(allowed, online);
    const open = intersection(groups.effective(cgroup), online);
    return isSubset(own, left) && isSubset(own, open) && !equalSets(own, open);
  });
}

const SHOWN = 4;

/** `sshd (812, 0-3), cron (640, 2) and 5 more`. */
export function taskList(tasks: readonly TaskSet[]): string {
  const shown = tasks.slice(0, SHOWN).map(({ name, tid, allowed }) => `${name} (${tid}, ${printIndexSet(allowed)})`);
  return tasks.length > SHOWN ? `${shown.join(', ')} and ${tasks.length - SHOWN} more` : shown.join(', ');
}
