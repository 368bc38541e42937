import { type IndexSet, parseIndexSet, printIndexSet } from '../../src/core/cpuset.ts';
import type { GroupCpus } from '../../src/cpus/groups.ts';
import { NOTHING_BEFORE } from '../../src/cpus/kernel-before.ts';
import type { CpuFacts, ReservationRecord, UnitFacts } from '../../src/cpus/model.ts';
import { parseKernelLine } from '../../src/host/kernel-line.ts';
import type { Task } from '../../src/host/tasks.ts';
import { GUEST_8, topologyOf } from './fake-host.ts';

export const set = (text: string): IndexSet => parseIndexSet(text, 'set');

export function recordOf(name: string, cpus: string, more: Partial<ReservationRecord> = {}): ReservationRecord {
  return {
    name,
    cpus: set(cpus),
    memoryNodes: [],
    keep: [],
    groups: [],
    partition: undefined,
    interrupts: false,
    workqueues: false,
    kernelThreads: false,
    kubelet: false,
    runtime: false,
    whileUnit: undefined,
    ...more,
  };
}

export function unitOf(name: string, more: Partial<UnitFacts> = {}): UnitFacts {
  const isTop = name === 'init.scope' || (name.endsWith('.slice') && !name.includes('-'));
  return {
    name,
    activeState: 'active',
    allowed: [],
    effective: [],
    affinity: [],
    given: more.allowed ?? [],
    givenNodes: [],
    cgroup: isTop ? `/${name}` : `/system.slice/${name}`,
    slice: isTop ? '-.slice' : 'system.slice',
    isTransient: false,
    memoryNodes: [],
    dropIns: [],
    ...more,
  };
}

export function groupOf(path: string, asked: string, more: Partial<GroupCpus> = {}): GroupCpus {
  const unit = /\.(?:slice|scope)$/.test(path) ? path.slice(path.lastIndexOf('/') + 1) : undefined;
  const effective = asked === '' ? set('0-7') : set(asked);
  return { path, unit, asked: set(asked), effective, partition: { type: 'member', invalid: undefined }, ...more };
}

/** What the kernel holds for the units, but for the groups that are given. */
export function heldGroups(groups: CpuFacts['groups'], units: readonly UnitFacts[]): CpuFacts['groups'] {
  if (groups === undefined) return undefined;
  const given = new Set(groups.groups.map(({ path }) => path));
  const held = units.filter(({ allowed, cgroup }) => allowed.length > 0 && !given.has(cgroup));
  return {
    ...groups,
    groups: [...groups.groups, ...held.map(({ cgroup, allowed }) => groupOf(cgroup, printIndexSet(allowed)))],
  };
}

export function taskOf(name: string, cgroup: string, more: Partial<Task> = {}): Task {
  return {
    tid: 10,
    pid: 10,
    name,
    kind: 'user',
    state: 'S',
    cgroup,
    cpusetV1: undefined,
    allowed: set('0-7'),
    cpu: 0,
    startTicks: 0n,
    involuntary: 0n,
    noSetAffinity: false,
    ...more,
  };
}

/** A host of two nodes with two cores of two threads each, on which nobody has divided anything. */
export function factsOf(more: Partial<CpuFacts> = {}): CpuFacts {
  return {
    topology: topologyOf(GUEST_8),
    kernelLine: parseKernelLine('quiet', 7),
    managerAffinity: undefined,
    kernel: [6, 12],
    systemd: 257,
    groups: { version: 2, root: set('0-7'), isolated: [], groups: [] },
    units: [unitOf('-.slice', { cgroup: '' }), unitOf('init.scope'), unitOf('system.slice'), unitOf('user.slice')],
    tasks: [],
    interrupts: { lines: [], defaultAffinity: undefined },
    movability: new Map(),
    unmoved: [],
    workqueues: undefined,
    kernelBefore: NOTHING_BEFORE,
    kubelet: undefined,
    records: [],
    cgroups: 'unified',
    hasCpuset: true,
    irqbalance: undefined,
    boot: {
      isInstalled: false,
      ownText: undefined,
      againText: undefined,
      program: ['/usr/bin/node', '/opt/slicectl/main.js'],
    },
    ...more,
  };
}
