import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type IndexSet,
  indicesTo,
  intersection,
  parseIndexSet,
  printIndexSet,
  union,
  without,
} from '../../src/core/cpuset.ts';
import type { HostPaths } from '../../src/host/paths.ts';
import type { Core, CoreKind, LastLevelCache, Topology } from '../../src/host/topology.ts';

/** A machine as sysfs shows it. Threads of a core are given as one list. */
export interface FakeMachine {
  readonly packages: readonly FakePackage[];
  /** Which cores each NUMA node has; undefined for a kernel without NUMA. */
  readonly nodes?: readonly { readonly id: number; readonly cpus: IndexSet; readonly memoryKib: number }[];
  readonly possible?: IndexSet;
  readonly offline?: IndexSet;
  readonly isolated?: IndexSet;
  /** The text of nohz_full; without it the kernel has no such file. */
  readonly nohzFull?: string;
  readonly smtControl?: string;
  /** Intel's lists of kinds, by folder name. */
  readonly kinds?: Readonly<Record<string, IndexSet>>;
  readonly capacities?: ReadonlyMap<number, number>;
}

export interface FakePackage {
  readonly id: number;
  readonly cores: readonly IndexSet[];
  /** Sets of CPUs that share an L3; none for a guest that is not told of caches. */
  readonly caches?: readonly IndexSet[];
  readonly cluster?: (cpu: number) => number;
}

/** A host of files in a temporary folder. */
export class FakeHost {
  readonly root = mkdtempSync(join(tmpdir(), 'slicectl-cpus-'));
  readonly paths: HostPaths = {
    proc: `${this.root}/proc`,
    sys: `${this.root}/sys`,
    etc: `${this.root}/etc`,
    run: `${this.root}/run`,
  };

  /** Writes files by their paths below the root, folders and all. */
  write(files: Readonly<Record<string, string>>): this {
    const folders = new Set(Object.keys(files).map((path) => dirname(path)));
    for (const folder of folders) mkdirSync(join(this.root, folder), { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      writeFileSync(join(this.root, path), text);
    }
    return this;
  }

  machine(machine: FakeMachine): this {
    return this.write(machineFiles(machine));
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

/** The files of /sys that the machine has. */
export function machineFiles(machine: FakeMachine): Record<string, string> {
  const cpu = 'sys/devices/system/cpu';
  const present = machine.packages.flatMap(({ cores }) => cores.flat()).sort((a, b) => a - b);
  const offline = machine.offline ?? [];
  const online = without(present, offline);
  const list = (set: IndexSet): string => `${printIndexSet(intersection(set, online))}\n`;
  const files: Record<string, string> = {
    [`${cpu}/possible`]: `${printIndexSet(machine.possible ?? present)}\n`,
    [`${cpu}/present`]: `${printIndexSet(present)}\n`,
    [`${cpu}/online`]: list(present),
    [`${cpu}/offline`]: `${printIndexSet(without(machine.possible ?? present, online))}\n`,
    [`${cpu}/isolated`]: `${printIndexSet(machine.isolated ?? [])}\n`,
    [`${cpu}/kernel_max`]: '8191\n',
    ...(machine.nohzFull !== undefined && { [`${cpu}/nohz_full`]: machine.nohzFull }),
    ...(machine.smtControl !== undefined && { [`${cpu}/smt/control`]: `${machine.smtControl}\n` }),
  };
  for (const [name, set] of Object.entries(machine.kinds ?? {})) files[`sys/devices/${name}/cpus`] = list(set);
  for (const [number, capacity] of machine.capacities ?? [])
    files[`${cpu}/cpu${number}/cpu_capacity`] = `${capacity}\n`;
  for (const { id, cpus, memoryKib } of machine.nodes ?? []) {
    files[`sys/devices/system/node/node${id}/cpulist`] = list(cpus);
    files[`sys/devices/system/node/node${id}/meminfo`] = `\nNode ${id} MemTotal:       ${memoryKib} kB\n`;
  }
  for (const { id, cores, caches = [], cluster } of machine.packages) {
    const all = cores.flat();
    for (const [coreId, core] of cores.entries()) {
      for (const number of intersection(core, online)) {
        const topology = `${cpu}/cpu${number}/topology`;
        files[`${topology}/physical_package_id`] = `${id}\n`;
        files[`${topology}/die_id`] = '0\n';
        files[`${topology}/core_id`] = `${coreId}\n`;
        files[`${topology}/cluster_id`] = `${cluster?.(number) ?? 65_535}\n`;
        files[`${topology}/thread_siblings_list`] = list(core);
        files[`${topology}/core_cpus_list`] = list(core);
        files[`${topology}/package_cpus_list`] = list(all);
        const shared = caches.find((cache) => cache.includes(number));
        for (const [index, [level, type, cpus]] of [
          [1, 'Data', core],
          [1, 'Instruction', core],
          [2, 'Unified', core],
          [3, 'Unified', shared],
        ].entries() as ArrayIterator<[number, [number, string, IndexSet | undefined]]>) {
          if (caches.length === 0 || cpus === undefined) continue;
          const at = `${cpu}/cpu${number}/cache/index${index}`;
          files[`${at}/level`] = `${level}\n`;
          files[`${at}/type`] = `${type}\n`;
          files[`${at}/size`] = `${level === 3 ? 32_768 : 512}K\n`;
          files[`${at}/shared_cpu_list`] = list(cpus);
        }
      }
    }
  }
  return files;
}

/** Cores of `threads` threads each, with consecutive numbers. */
function cores(first: number, count: number, threads: number): IndexSet[] {
  return indicesTo(count - 1).map((core) => indicesTo(threads - 1).map((thread) => first + core * threads + thread));
}

/** Cores whose second thread has the number of the first and `offset`, as firmware usually counts. */
function coresApart(first: number, count: number, offset: number): IndexSet[] {
  return indicesTo(count - 1).map((core) => [first + core, first + core + offset]);
}

const range = (first: number, last: number): IndexSet => indicesTo(last).slice(first);

/** 2 nodes × 2 cores × 2 threads, without caches: the emulated machine. */
export const GUEST_8: FakeMachine = {
  packages: [
    { id: 0, cores: cores(0, 2, 2) },
    { id: 1, cores: cores(4, 2, 2) },
  ],
  nodes: [
    { id: 0, cpus: range(0, 3), memoryKib: 1_048_576 },
    { id: 1, cpus: range(4, 7), memoryKib: 1_048_576 },
  ],
  smtControl: 'on',
};

/** One AMD package: 16 cores, siblings 16 apart, an L3 for each 4 cores. */
export const CCX_32: FakeMachine = {
  packages: [
    {
      id: 0,
      cores: coresApart(0, 16, 16),
      caches: indicesTo(3).map((ccx) => [...range(ccx * 4, ccx * 4 + 3), ...range(ccx * 4 + 16, ccx * 4 + 19)]),
    },
  ],
  nodes: [{ id: 0, cpus: range(0, 31), memoryKib: 65_536_000 }],
  smtControl: 'on',
};

/** Intel's hybrid kind: 4 P-cores with two threads, 8 E-cores in two modules, one L3. */
export const HYBRID_16: FakeMachine = {
  packages: [
    {
      id: 0,
      cores: [...cores(0, 4, 2), ...cores(8, 8, 1)],
      caches: [range(0, 15)],
      cluster: (cpu) => (cpu < 8 ? cpu >> 1 : cpu < 12 ? 8 : 16),
    },
  ],
  nodes: [{ id: 0, cpus: range(0, 15), memoryKib: 16_000_000 }],
  kinds: { cpu_core: range(0, 7), cpu_atom: range(8, 15) },
  smtControl: 'on',
};

/** Two packages of 32 cores with two threads, siblings 64 apart, one L3 each. */
export const SERVER_128: FakeMachine = {
  packages: [0, 1].map((id) => ({
    id,
    cores: coresApart(id * 32, 32, 64),
    caches: [[...range(id * 32, id * 32 + 31), ...range(id * 32 + 64, id * 32 + 95)]],
  })),
  nodes: [0, 1].map((id) => ({
    id,
    cpus: [...range(id * 32, id * 32 + 31), ...range(id * 32 + 64, id * 32 + 95)],
    memoryKib: 263_000_000,
  })),
  smtControl: 'on',
};

/** Four cores of a board whose kernel has no NUMA, no caches in sysfs and no number for the package. */
export const BOARD_4: FakeMachine = {
  packages: [{ id: -1, cores: cores(0, 4, 1) }],
  capacities: new Map([
    [0, 446],
    [1, 446],
    [2, 1024],
    [3, 1024],
  ]),
};

export const SINGLE: FakeMachine = {
  packages: [{ id: 0, cores: [[0]], caches: [[0]] }],
  nodes: [{ id: 0, cpus: [0], memoryKib: 500_000 }],
};

/** CPU numbers that do not fit into words of 64 bits, up to the highest one that systemd and the kernel have. */
export const SPARSE: FakeMachine = {
  packages: [
    { id: 0, cores: [[0, 64]], caches: [[0, 64]] },
    { id: 1, cores: [[4095, 8191]], caches: [[4095, 8191]] },
  ],
  nodes: [
    { id: 0, cpus: [0, 64], memoryKib: 1_000_000 },
    { id: 1, cpus: [4095, 8191], memoryKib: 1_000_000 },
  ],
  possible: range(0, 8191),
};

/** 8 nodes of 512 cores with two threads, an L3 for each 8 cores. Too many files: for {@link topologyOf}. */
export const HUGE_8192: FakeMachine = {
  packages: indicesTo(7).map((id) => ({
    id,
    cores: cores(id * 1024, 512, 2),
    caches: indicesTo(63).map((at) => range(id * 1024 + at * 16, id * 1024 + at * 16 + 15)),
  })),
  nodes: indicesTo(7).map((id) => ({ id, cpus: range(id * 1024, id * 1024 + 1023), memoryKib: 1_000_000_000 })),
  smtControl: 'on',
};

/** What sysfs of the machine reads, without the files. */
export function topologyOf(machine: FakeMachine): Topology {
  const present = union(...machine.packages.flatMap((one) => one.cores));
  const offline = machine.offline ?? [];
  const online = without(present, offline);
  const nodes = (machine.nodes ?? []).map(({ id, cpus, memoryKib }) => ({
    id,
    cpus: intersection(cpus, online),
    memoryBytes: BigInt(memoryKib) * 1024n,
  }));
  const kindOf = kinds(machine, online);
  const byFirst = (a: { readonly cpus: IndexSet }, b: { readonly cpus: IndexSet }): number =>
    (a.cpus[0] ?? 0) - (b.cpus[0] ?? 0);
  const caches: LastLevelCache[] = machine.packages
    .flatMap((one) => one.caches ?? [])
    .map((cpus) => ({ level: 3, bytes: 32n << 20n, cpus: intersection(online, cpus) }))
    .filter(({ cpus }) => cpus.length > 0)
    .sort(byFirst);
  const nodeOf = new Map(nodes.flatMap(({ id, cpus }) => cpus.map((cpu) => [cpu, id] as const)));
  const cacheOf = new Map(caches.flatMap(({ cpus }, at) => cpus.map((cpu) => [cpu, at] as const)));
  const isOnline = new Set(online);
  const cores = machine.packages.flatMap(({ id, cores: all, cluster }) =>
    all.flatMap((threads): Core[] => {
      const cpus = threads.filter((cpu) => isOnline.has(cpu));
      const [first] = cpus;
      if (first === undefined) return [];
      const place = { package: id < 0 ? undefined : id, die: 0, cluster: cluster?.(first) };
      return [{ cpus, ...place, node: nodeOf.get(first), cache: cacheOf.get(first), kind: kindOf.get(first) }];
    }),
  );
  return {
    possible: machine.possible ?? present,
    present,
    online,
    offline,
    isolated: machine.isolated ?? [],
    nohzFull: parseIndexSet(machine.nohzFull ?? '', 'nohz_full'),
    bootCpu: online[0] ?? 0,
    smtControl: machine.smtControl,
    cores: cores.sort(byFirst),
    nodes,
    caches,
  };
}

function kinds({ kinds: listed, capacities }: FakeMachine, online: IndexSet): ReadonlyMap<number, CoreKind> {
  const strongest = Math.max(...(capacities?.values() ?? []));
  const isWeak = (cpu: number): boolean =>
    capacities === undefined ? (listed?.cpu_atom ?? []).includes(cpu) : (capacities.get(cpu) ?? 0) < strongest;
  if (!online.some(isWeak)) return new Map();
  return new Map(online.map((cpu) => [cpu, isWeak(cpu) ? 'efficiency' : 'performance']));
}
