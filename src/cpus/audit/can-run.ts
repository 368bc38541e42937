import { type IndexSet, intersection, isSubset, printIndexSet, union } from '../../core/cpuset.ts';
import type { Task } from '../../host/tasks.ts';
import type { ReservationRecord } from '../model.ts';
import { isInSlice, type Place, placeOf } from './place.ts';
import { type AuditView, isInherited, opennessOf } from './view.ts';

/** Threads of one place that may run on payload CPUs of one reservation. */
export interface Runner {
  readonly record: ReservationRecord;
  readonly place: Place;
  /** The payload CPUs that are open to them. */
  readonly cpus: IndexSet;
  readonly tasks: readonly Task[];
  /** Narrower than their group: they have an affinity of their own, which is this set. */
  readonly affinity: IndexSet | undefined;
  /** Set where they may: the reservation whose `--keep` left their slice out, of all reservations then (`leftSlices`). */
  readonly keptBy: string | undefined;
}

/** Kernel threads that may run on payload CPUs. */
export interface KernelRunners {
  readonly movable: readonly Task[];
  readonly fixed: readonly Task[];
  readonly perCpu: readonly Task[];
}

/** All processes and threads outside of the payload that may run on its CPUs, by place. */
export function runnersOf(view: AuditView): readonly Runner[] {
  return view.records.flatMap((record) => runnersOn(view, record));
}

function runnersOn(view: AuditView, record: ReservationRecord): Runner[] {
  const { facts } = view;
  const cpus = intersection(record.cpus, facts.topology.online);
  const openTo = opennessOf(facts);
  const found = new Map<string, { place: Place; tasks: Task[]; cpus: IndexSet; affinity: IndexSet | undefined }>();
  for (const task of facts.tasks) {
    const shared = intersection(task.allowed, cpus);
    const cgroup = task.cgroup;
    if (task.kind !== 'user' || hasEnded(task) || shared.length === 0 || cgroup === undefined) continue;
    const place = placeOf(cgroup);
    if (isPayload(record, cgroup, place)) continue;
    const own = intersection(task.allowed, facts.topology.online);
    const open = openTo(cgroup);
    // A wider mask than that of the group was read at another moment of a change.
    const isOwn = isSubset(own, open) && !isInherited(facts, own, open);
    const affinity = isOwn ? own : undefined;
    const key = [place.top, place.name, place.detail, affinity && printIndexSet(affinity)].join('\0');
    const one = found.get(key);
    if (one) {
      one.tasks.push(task);
      one.cpus = union(one.cpus, shared);
    } else found.set(key, { place, tasks: [task], cpus: shared, affinity });
  }
  return [...found.values()].map((one) => ({ ...one, record, keptBy: keeperOf(view, record, one.place) }));
}

/** The reservation itself where it is one of several that do. */
function keeperOf({ facts }: AuditView, record: ReservationRecord, { top }: Place): string | undefined {
  return [record, ...facts.records].find(({ keep }) => keep.includes(top.slice(1)))?.name;
}

function isPayload({ name, kubelet }: ReservationRecord, cgroup: string, { kind, top }: Place): boolean {
  if (kubelet && (kind === 'pod' || top === '/kubepods')) return true;
  return isInSlice(cgroup, name);
}

/** The kernel's threads that may run on the CPUs, by what can be done about them. */
export function kernelRunners({ facts }: AuditView, cpus: IndexSet): KernelRunners {
  const open = facts.tasks.filter((task) => !hasEnded(task) && intersection(task.allowed, cpus).length > 0);
  return {
    movable: open.filter(({ kind }) => kind === 'movable'),
    fixed: open.filter(({ kind }) => kind === 'fixed'),
    perCpu: open.filter(({ kind }) => kind === 'per-cpu'),
  };
}

/** Zombies, and what is about to become one, run nowhere any more. */
export function hasEnded({ state }: Task): boolean {
  return state === 'Z' || state === 'X';
}
