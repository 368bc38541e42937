import { type IndexSet, indicesTo, without } from '../../../src/core/cpuset.ts';
import type { GroupCpus, GroupTree } from '../../../src/cpus/groups.ts';
import type { KubeletCpus } from '../../../src/cpus/kubelet/read.ts';
import type { CpuFacts, ReservationRecord, Wanted } from '../../../src/cpus/model.ts';
import type { Task } from '../../../src/host/tasks.ts';
import { type FakeMachine, GUEST_8, topologyOf } from '../fake-host.ts';

const USABLE = { isUsable: true, why: '', cure: '' };

/** A kubelet that agrees: payload CPUs 4-7, system CPUs 0-3. */
export const AGREEING: KubeletCpus = {
  isRunning: true,
  version: '1.35.0',
  policy: 'static',
  policyOptions: { 'full-pcpus-only': 'true', 'strict-cpu-reservation': 'true' },
  support: { 'full-pcpus-only': USABLE, 'strict-cpu-reservation': USABLE },
  reserved: [0, 1, 2, 3],
  reservedGroups: [],
  topologyPolicy: 'none',
  sources: {
    reservedSystemCPUs: { kind: 'file', path: '/var/lib/kubelet/config.yaml', line: 7, column: 1, text: 'x' },
  },
  misspelt: [],
  podsGroups: ['/kubepods.slice', '/kubepods'],
  configPath: '/var/lib/kubelet/config.yaml',
  statePath: '/var/lib/kubelet/cpu_manager_state',
  state: {
    path: '/var/lib/kubelet/cpu_manager_state',
    policy: 'static',
    shared: [6, 7],
    exclusive: [{ pod: 'p1', container: 'c1', cpus: [4, 5] }],
  },
  problems: [],
};

export const RECORD: ReservationRecord = {
  name: 'kubepods.slice',
  cpus: [4, 5, 6, 7],
  memoryNodes: [],
  keep: [],
  groups: [],
  partition: undefined,
  interrupts: false,
  workqueues: false,
  kernelThreads: false,
  kubelet: true,
  runtime: false,
  whileUnit: undefined,
};

export const group = (path: string, effective: IndexSet, asked: IndexSet = []): GroupCpus => ({
  path,
  unit: path.slice(1),
  asked,
  effective,
  partition: undefined,
});

export const daemon = (name: string, allowed: IndexSet): Task => ({
  tid: 900,
  pid: 900,
  name,
  kind: 'user',
  state: 'S',
  cgroup: `/system.slice/${name}.service`,
  cpusetV1: undefined,
  allowed,
  cpu: 0,
  startTicks: 0n,
  involuntary: 0n,
  noSetAffinity: false,
});

export interface Change {
  readonly kubelet?: Partial<KubeletCpus>;
  readonly records?: readonly ReservationRecord[];
  readonly machine?: Partial<FakeMachine>;
  readonly groups?: readonly GroupCpus[];
  readonly tasks?: readonly Task[];
}

/** What rules are given of a host on which all agrees but for these changes. */
export function factsWith({ kubelet = {}, records = [RECORD], machine = {}, groups, tasks }: Change = {}): CpuFacts {
  const topology = topologyOf({ ...GUEST_8, ...machine });
  const tree: GroupTree = {
    version: 2,
    root: topology.online,
    isolated: [],
    groups: groups ?? [group('/kubepods.slice', topology.online), group('/system.slice', [0, 1, 2, 3], [0, 1, 2, 3])],
  };
  const facts: Pick<CpuFacts, 'topology' | 'groups' | 'kubelet' | 'records' | 'tasks'> = {
    topology,
    groups: tree,
    kubelet: { ...AGREEING, ...kubelet },
    records,
    tasks: tasks ?? [daemon('kubelet', [0, 1, 2, 3]), daemon('containerd', [0, 1, 2, 3])],
  };
  return facts as CpuFacts;
}

/** As the records want it. */
export function wantedWith({ topology, records }: CpuFacts): Wanted {
  const all = without(topology.possible, topology.isolated);
  const payload = records.flatMap(({ cpus }) => cpus);
  const wanted: Pick<Wanted, 'system' | 'all'> = { all, system: without(all, payload) };
  return wanted as Wanted;
}

export const ALL_8 = indicesTo(7);
