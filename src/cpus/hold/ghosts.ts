import { equalSets, type IndexSet, intersection, isSubset, printIndexSet, without } from '../../core/cpuset.ts';
import { managerCpus } from '../../host/manager-affinity.ts';
import type { Task } from '../../host/tasks.ts';
import type { CpuFacts } from '../model.ts';
import { canRun } from './masks.ts';

/** User tasks that may run on fewer CPUs than their group though nothing says why. */
export interface Ghost {
  /** The slice, service or scope whose group it is; undefined for a group that systemd did not make. */
  readonly unit: string | undefined;
  readonly cgroup: string;
  readonly allowed: IndexSet;
  /** What their group has. */
  readonly open: IndexSet;
  readonly tasks: readonly Task[];
}

export type GhostFacts = Pick<CpuFacts, 'tasks' | 'groups' | 'topology' | 'units' | 'kernelLine' | 'managerAffinity'>;

/**
 * Finds them, by group and mask. A task with an affinity of its own looks the same: only a cure tells them apart, which
 * changes the group's set twice and leaves such a task as it is.
 */
export function ghosts(facts: GhostFacts): readonly Ghost[] {
  const given = managerCpus(facts);
  const affinities = new Map(facts.units.map(({ name, affinity }) => [name, affinity] as const));
  return narrowTasks(facts).filter(({ unit, allowed, open }) => {
    const inherited = given && intersection(intersection(open, given), facts.topology.online);
    if (inherited !== undefined && equalSets(allowed, inherited)) return false;
    return unit === undefined || (affinities.get(unit)?.length ?? 0) === 0;
  });
}

/** All that may run on fewer CPUs than their group, by group and mask, whether something says why or not. */
export function narrowTasks({
  tasks,
  groups,
  topology,
}: Pick<CpuFacts, 'tasks' | 'groups' | 'topology'>): readonly Ghost[] {
  if (groups === undefined || groups.version !== 2) return [];
  const known = new Map(groups.groups.map(({ path, effective }) => [path, effective] as const));
  const openTo = (cgroup: string): IndexSet => {
    for (let path = cgroup; path.length > 1; path = path.slice(0, path.lastIndexOf('/'))) {
      const effective = known.get(path);
      if (effective !== undefined) return effective;
    }
    return groups.root;
  };
  const found = new Map<string, { -readonly [K in keyof Ghost]: Ghost[K] } & { tasks: Task[] }>();
  for (const task of tasks) {
    const { cgroup, allowed } = task;
    if (!canRun(task) || cgroup === undefined || cgroup === '/') continue;
    const open = openTo(cgroup);
    const own = intersection(allowed, topology.online);
    const usual = [open, without(open, topology.isolated)];
    if (!isSubset(own, open) || usual.some((set) => equalSets(own, intersection(set, topology.online)))) continue;
    const key = `${cgroup}\0${printIndexSet(own)}`;
    const ghost = found.get(key) ?? { unit: unitOf(cgroup), cgroup, allowed: own, open, tasks: [] };
    ghost.tasks.push(task);
    found.set(key, ghost);
  }
  return [...found.values()];
}

function unitOf(cgroup: string): string | undefined {
  return cgroup
    .split('/')
    .findLast((part) => /\.(?:slice|scope|service|socket|mount|swap)$/.test(part))
    ?.replace(/^_/, '');
}
