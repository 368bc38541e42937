import { type IndexSet, isSubset, parseIndexSet, union, without } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';
import { foldersIn } from './tree.ts';

/** A physical core. CPUs that are offline belong to none: the kernel forgets where they are. */
export interface Core {
  /** Its threads that are online, which also name it: `core_id` repeats over packages and dies. */
  readonly cpus: IndexSet;
  /** Undefined on boards that do not say. */
  readonly package: number | undefined;
  readonly die: number | undefined;
  /** Cores that share what lies between the core and the last-level cache, where the kernel knows. */
  readonly cluster: number | undefined;
  /** Undefined on kernels without NUMA. */
  readonly node: number | undefined;
  /** The place in {@link Topology.caches}; undefined in guests that are not told of caches. */
  readonly cache: number | undefined;
  /** Undefined where all cores are alike. */
  readonly kind: CoreKind | undefined;
}

export type CoreKind = 'performance' | 'efficiency';

export interface NumaNode {
  readonly id: number;
  /** Online ones. Empty for memory alone (CXL, HBM). */
  readonly cpus: IndexSet;
  readonly memoryBytes: bigint;
}

/** A cache of the highest level that its CPUs have. */
export interface LastLevelCache {
  readonly level: number;
  readonly bytes: bigint | undefined;
  readonly cpus: IndexSet;
}

/** What sysfs says of the CPUs of this machine, whatever CPUs the caller may run on. */
export interface Topology {
  /** CPUs that can ever be there; fixed at boot. Numbers above them are errors to the kernel. */
  readonly possible: IndexSet;
  readonly present: IndexSet;
  readonly online: IndexSet;
  /** Present and not online. */
  readonly offline: IndexSet;
  /** By `isolcpus=` at boot: kept from the scheduler's balancing. Run-time partitions are not among them. */
  readonly isolated: IndexSet;
  readonly nohzFull: IndexSet;
  /** The one that keeps time and takes legacy interrupts. */
  readonly bootCpu: number;
  /** `on`, `off`, `forceoff`, `notsupported`, `notimplemented`; undefined before Linux 4.19. */
  readonly smtControl: string | undefined;
  /** By their first CPU. */
  readonly cores: readonly Core[];
  /** By number; none on kernels without NUMA. */
  readonly nodes: readonly NumaNode[];
  /** By their first CPU. */
  readonly caches: readonly LastLevelCache[];
}

/** Reads the topology (Documentation/ABI/stable/sysfs-devices-system-cpu). `E_FILE` where sysfs does not have it. */
export function readTopology(paths: HostPaths): Topology {
  const folder = `${paths.sys}/devices/system/cpu`;
  const possible = cpuFile(folder, 'possible');
  const online = cpuFile(folder, 'online');
  if (possible === undefined || online === undefined) {
    throw new SlicectlError('E_FILE', `${folder}/${possible ? 'online' : 'possible'} cannot be read`, {
      hint: 'mount sysfs',
      data: { path: folder },
    });
  }
  const present = cpuFile(folder, 'present') ?? possible;
  const nodes = readNodes(paths);
  const caches = readCaches(folder, online);
  return {
    possible,
    present,
    online,
    offline: without(present, online),
    isolated: cpuFile(folder, 'isolated') ?? [],
    nohzFull: cpuFile(folder, 'nohz_full') ?? [],
    bootCpu: online[0] ?? 0,
    smtControl: readIfThere(`${folder}/smt/control`)?.trim(),
    cores: readCores(folder, online, { nodes, caches, kinds: readKinds(paths, folder, online) }),
    nodes,
    caches,
  };
}

/** A list file; `(null)` is what nohz_full prints where it is not set (seen on 6.12). */
function cpuFile(folder: string, name: string): IndexSet | undefined {
  const text = readIfThere(`${folder}/${name}`)?.trim();
  return text === '(null)' ? [] : text === undefined ? undefined : parseIndexSet(text, `${folder}/${name}`);
}

interface Surroundings {
  readonly nodes: readonly NumaNode[];
  readonly caches: readonly LastLevelCache[];
  readonly kinds: ReadonlyMap<number, CoreKind>;
}

function readCores(folder: string, online: IndexSet, { nodes, caches, kinds }: Surroundings): Core[] {
  const nodeOf = new Map(nodes.flatMap(({ id, cpus }) => cpus.map((cpu) => [cpu, id] as const)));
  const cacheOf = new Map(caches.flatMap(({ cpus }, at) => cpus.map((cpu) => [cpu, at] as const)));
  return groupsOf(online, (cpu) => {
    const topology = `${folder}/cpu${cpu}/topology`;
    // core_cpus_list is the name since 5.3, the other one is kept for old programs.
    const cpus = cpuFile(topology, 'core_cpus_list') ?? cpuFile(topology, 'thread_siblings_list') ?? [cpu];
    const number = (name: string): number | undefined => knownId(readIfThere(`${topology}/${name}`));
    return {
      cpus,
      package: number('physical_package_id'),
      die: number('die_id'),
      cluster: number('cluster_id'),
      node: nodeOf.get(cpu),
      cache: cacheOf.get(cpu),
      kind: kinds.get(cpu),
    };
  });
}

/** Asks of each CPU that no group before has, so that each group is read once. */
function groupsOf<T extends { readonly cpus: IndexSet }>(online: IndexSet, read: (cpu: number) => T | undefined): T[] {
  const seen = new Set<number>();
  return online.flatMap((cpu) => {
    const group = seen.has(cpu) ? undefined : read(cpu);
    for (const member of group?.cpus ?? []) seen.add(member);
    return group ? [group] : [];
  });
}

/** -1 and 65535 stand for unknown (drivers/base/topology.c, include/linux/topology.h). */
function knownId(text: string | undefined): number | undefined {
  const id = Number(text?.trim() || -1);
  return Number.isInteger(id) && id >= 0 && id !== 65_535 ? id : undefined;
}

function readCaches(folder: string, online: IndexSet): LastLevelCache[] {
  return groupsOf(online, (cpu) => {
    const indices = foldersIn(`${folder}/cpu${cpu}/cache`).filter((name) => /^index\d+$/.test(name));
    const found = indices.flatMap((index): LastLevelCache[] => {
      const at = `${folder}/cpu${cpu}/cache/${index}`;
      const cpus = cpuFile(at, 'shared_cpu_list');
      const isForData = readIfThere(`${at}/type`)?.trim() !== 'Instruction';
      if (!isForData || cpus === undefined || cpus.length === 0) return [];
      return [{ level: Number(readIfThere(`${at}/level`) ?? 0), bytes: sizeOf(readIfThere(`${at}/size`)), cpus }];
    });
    return found.sort((a, b) => b.level - a.level)[0];
  });
}

/** `32768K`. */
function sizeOf(text: string | undefined): bigint | undefined {
  const kibibytes = /^(\d+)K/.exec(text ?? '')?.[1];
  return kibibytes === undefined ? undefined : BigInt(kibibytes) * 1024n;
}

/** Nodes with memory or CPUs: others are possible places for hardware to come. */
function readNodes(paths: HostPaths): NumaNode[] {
  const folder = `${paths.sys}/devices/system/node`;
  const ids = foldersIn(folder).flatMap((name) => /^node(\d+)$/.exec(name)?.slice(1).map(Number) ?? []);
  const nodes = ids.map((id) => {
    const memory = /MemTotal:\s+(\d+) kB/.exec(readIfThere(`${folder}/node${id}/meminfo`) ?? '')?.[1];
    return { id, cpus: cpuFile(`${folder}/node${id}`, 'cpulist') ?? [], memoryBytes: BigInt(memory ?? 0) * 1024n };
  });
  return nodes.filter(({ cpus, memoryBytes }) => cpus.length > 0 || memoryBytes > 0n).sort((a, b) => a.id - b.id);
}

/** Files in which a hybrid x86 lists its cores by kind: each kind is a PMU of its own. */
const KIND_FILES: readonly (readonly [name: string, kind: CoreKind])[] = [
  ['cpu_core', 'performance'],
  ['cpu_atom', 'efficiency'],
  ['cpu_lowpower', 'efficiency'],
];

/** Empty where all cores are alike. */
function readKinds(paths: HostPaths, folder: string, online: IndexSet): Map<number, CoreKind> {
  const listed = KIND_FILES.flatMap(([name, kind]) =>
    (cpuFile(`${paths.sys}/devices/${name}`, 'cpus') ?? []).map((cpu) => [cpu, kind] as const),
  );
  if (new Set(listed.map(([, kind]) => kind)).size > 1) return new Map(listed);
  // Relative to the strongest core, which has 1024 (Documentation/ABI/testing/sysfs-devices-system-cpu, cpu_capacity).
  const capacities = online.map((cpu) => [cpu, Number(readIfThere(`${folder}/cpu${cpu}/cpu_capacity`) ?? 0)] as const);
  const strongest = Math.max(...capacities.map(([, capacity]) => capacity));
  if (capacities.every(([, capacity]) => capacity === strongest)) return new Map();
  return new Map(capacities.map(([cpu, capacity]) => [cpu, capacity === strongest ? 'performance' : 'efficiency']));
}

/** The cores that have any of the CPUs. */
export function coresOf(topology: Pick<Topology, 'cores'>, cpus: IndexSet): readonly Core[] {
  const wanted = new Set(cpus);
  return topology.cores.filter((core) => core.cpus.some((cpu) => wanted.has(cpu)));
}

/** Cores of which some threads are in the set and some are not. */
export function splitCores(topology: Pick<Topology, 'cores'>, cpus: IndexSet): readonly Core[] {
  return coresOf(topology, cpus).filter((core) => !isSubset(core.cpus, cpus));
}

export function cpusOf(cores: readonly Core[]): IndexSet {
  return union(...cores.map(({ cpus }) => cpus));
}
