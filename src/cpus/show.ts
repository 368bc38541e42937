import type { SystemdLink } from '../backend/systemd-link.ts';
import { equalSets, type IndexSet, intersection, isSubset, printIndexSet, union, without } from '../core/cpuset.ts';
import {
  type BannedCpus,
  type Interrupts,
  interruptLoad,
  readBannedCpus,
  readInterrupts,
  readWorkqueues,
  type Workqueues,
} from '../host/interrupts.ts';
import { type KernelLine, readKernelLine } from '../host/kernel-line.ts';
import { type ManagerAffinity, readManagerAffinity } from '../host/manager-affinity.ts';
import type { HostPaths } from '../host/paths.ts';
import type { RootTree } from '../host/root-tree.ts';
import { readTasks, type Task } from '../host/tasks.ts';
import { readTopology, type Topology } from '../host/topology.ts';
import { type Access, accessOf, type GroupTree, readGroupTree } from './groups.ts';
import { type KubeletCpus, kubeletArguments, readKubeletCpus } from './kubelet/read.ts';
import type { Lease } from './lease/record.ts';
import { readRecords } from './record.ts';
import { type Ground, type Reservation, systemCpus } from './roles.ts';
import { readUnitCpus, type UnitCpus } from './units.ts';

/** Where the CPUs are looked at. */
export interface CpuHost {
  readonly paths: HostPaths;
  /** Configuration files. */
  readonly tree: RootTree;
  /** PID 1; undefined where systemd does not run or its bus does not answer. */
  readonly system: SystemdLink | undefined;
  /** Those that hold, of `slicectl run --exclusive`; none by default. */
  readonly leases?: readonly Lease[];
  /** The words that start this slicectl, the program's file absolute; for a unit that does so at boot. */
  readonly program?: readonly string[];
}

/** User threads of one group that may run on fewer CPUs than their group: by an affinity of their own, or left so. */
export interface PinnedTasks {
  readonly cgroup: string;
  readonly allowed: IndexSet;
  readonly threads: number;
  /** Of the first ones. */
  readonly names: readonly string[];
}

/** The CPUs of this machine and who may run where. */
export interface CpuReport {
  readonly topology: Topology;
  readonly kernelLine: KernelLine;
  /** Where systemd and what it starts begin by its own configuration. */
  readonly managerAffinity: ManagerAffinity | undefined;
  /** Both sets by their roles; without a reservation all CPUs are the system's. */
  readonly payload: IndexSet;
  readonly system: IndexSet;
  readonly reservations: readonly Reservation[];
  /** CPUs that one job each has, by the first of them. */
  readonly leases: readonly Lease[];
  /** Undefined where no cpuset hierarchy is mounted. */
  readonly groups: GroupTree | undefined;
  readonly access: readonly Access[];
  /** Units with AllowedCPUs or CPUAffinity; undefined where systemd could not be asked. */
  readonly units: readonly UnitCpus[] | undefined;
  readonly pinned: readonly PinnedTasks[];
  readonly interrupts: Interrupts;
  readonly irqbalance: { readonly isRunning: boolean; readonly banned: readonly BannedCpus[] } | undefined;
  readonly workqueues: Workqueues | undefined;
  readonly kubelet: KubeletCpus | undefined;
}

export async function readCpuReport(host: CpuHost): Promise<CpuReport> {
  const { paths, tree, system, leases = [] } = host;
  const reservations = readRecords(tree);
  const topology = readTopology(paths);
  const last = topology.possible.at(-1) ?? 0;
  const groups = readGroupTree(paths, topology.online);
  const tasks = readTasks(paths);
  const pinned = pinnedTasks(tasks, groups, topology);
  const interrupts = readInterrupts(paths, last);
  const payload = union(...reservations.map(({ cpus }) => cpus));
  const banned = readBannedCpus(paths, last);
  const isRunning = tasks.some(({ name, kind }) => name === 'irqbalance' && kind === 'user');
  return {
    topology,
    kernelLine: readKernelLine(paths, last),
    managerAffinity: readManagerAffinity(tree),
    payload,
    system: systemCpus(groundOf(topology, reservations, interrupts), payload),
    reservations,
    leases: leases.toSorted((a, b) => (a.cpus[0] ?? 0) - (b.cpus[0] ?? 0)),
    groups,
    access: groups === undefined ? [] : accessOf(groups, topology.online),
    units: system && (await readUnitCpus(system, unitsToAsk(groups))),
    pinned,
    interrupts,
    irqbalance: isRunning || banned !== undefined ? { isRunning, banned: banned ?? [] } : undefined,
    workqueues: readWorkqueues(paths, last),
    kubelet: await readKubeletCpus(tree, kubeletArguments(paths, tasks)),
  };
}

/** What {@link pick} chooses from. */
export function groundOf(topology: Topology, reservations: readonly Reservation[], interrupts: Interrupts): Ground {
  return { topology, reservations, interrupts: interruptLoad(interrupts) };
}

/** Slices and services are asked for anyway. */
function unitsToAsk(groups: GroupTree | undefined): readonly string[] {
  const narrow = (groups?.groups ?? []).flatMap(({ unit, asked }) => (unit && asked?.length ? [unit] : []));
  return [...new Set(narrow)].filter((name) => !/\.(?:slice|service)$/.test(name));
}

const SHOWN_NAMES = 3;

function pinnedTasks(tasks: readonly Task[], tree: GroupTree | undefined, topology: Topology): PinnedTasks[] {
  const known = new Map((tree?.groups ?? []).map(({ path, effective }) => [path, effective] as const));
  const openTo = (cgroup: string): IndexSet => {
    for (let path = cgroup; path.length > 1; path = path.slice(0, path.lastIndexOf('/'))) {
      const effective = known.get(path);
      if (effective) return effective;
    }
    return tree?.root ?? topology.online;
  };
  const found = new Map<string, { cgroup: string; allowed: IndexSet; threads: number; names: string[] }>();
  for (const { kind, state, allowed, name, ...task } of tasks) {
    const cgroup = tree?.version === 1 ? task.cpusetV1 : task.cgroup;
    if (kind !== 'user' || state === 'Z' || cgroup === undefined) continue;
    const own = intersection(allowed, topology.online);
    const open = openTo(cgroup);
    // Tasks begin with a mask without the CPUs of isolcpus=, which their cpuset has.
    const isUsual = equalSets(own, open) || equalSets(own, without(open, topology.isolated));
    if (isUsual || !isSubset(own, open)) continue;
    const key = `${cgroup}\0${printIndexSet(allowed)}`;
    const one = found.get(key) ?? { cgroup, allowed, threads: 0, names: [] };
    one.threads += 1;
    if (one.names.length < SHOWN_NAMES && !one.names.includes(name)) one.names.push(name);
    found.set(key, one);
  }
  return [...found.values()].sort((a, b) => (a.cgroup < b.cgroup ? -1 : 1));
}
