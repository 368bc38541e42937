import { type IndexSet, indicesTo, without } from '../../../src/core/cpuset.ts';
import type { Traces } from '../../../src/cpus/audit/traces.ts';
import type { AuditView } from '../../../src/cpus/audit/view.ts';
import type { GroupCpus, GroupTree } from '../../../src/cpus/groups.ts';
import type { CpuFacts, ReservationRecord, UnitFacts, Wanted } from '../../../src/cpus/model.ts';
import type { Task } from '../../../src/host/tasks.ts';
import { type FakeMachine, GUEST_8, topologyOf } from '../fake-host.ts';
import { factsOf, groupOf, recordOf, taskOf, unitOf } from '../ground.ts';

export const SYSTEM: IndexSet = indicesTo(5);
export const ALL: IndexSet = indicesTo(7);

/** Payload CPUs 6-7, system CPUs 0-5. */
export const DB: ReservationRecord = recordOf('db.slice', '6-7');

let nextTid = 100;

export function task(cgroup: string, allowed: IndexSet, other: Partial<Task> = {}): Task {
  nextTid += 1;
  return taskOf('work', cgroup, { tid: nextTid, pid: other.tid ?? nextTid, allowed, ...other });
}

export function group(
  path: string,
  asked: IndexSet | undefined,
  effective: IndexSet,
  other: Partial<GroupCpus> = {},
): GroupCpus {
  return groupOf(path, '', { asked, effective, ...other });
}

/** As slicectl confined it: nobody else gave it CPUs. */
export function unit(name: string, allowed: IndexSet, other: Partial<UnitFacts> = {}): UnitFacts {
  return unitOf(name, { allowed, effective: allowed, given: [], ...other });
}

export interface ViewChange {
  readonly records?: readonly ReservationRecord[];
  readonly tasks?: readonly Task[];
  readonly tree?: Partial<GroupTree>;
  readonly machine?: Partial<FakeMachine>;
  readonly facts?: Partial<CpuFacts>;
  readonly wanted?: Partial<Wanted>;
  readonly traces?: Partial<Traces>;
}

/** A host on which db.slice has CPUs 6-7 and all agrees, but for these changes. */
export function viewWith({ records = [DB], tasks = [], tree, machine, facts, wanted, traces }: ViewChange): AuditView {
  const topology = topologyOf({ ...GUEST_8, ...machine });
  const all = topology.possible;
  const groups: GroupTree = {
    version: 2,
    root: topology.online,
    isolated: [],
    groups: [
      group('/init.scope', SYSTEM, SYSTEM),
      group('/system.slice', SYSTEM, SYSTEM),
      group('/user.slice', SYSTEM, SYSTEM),
      group('/db.slice', [6, 7], [6, 7]),
    ],
    ...tree,
  };
  return {
    facts: factsOf({
      topology,
      groups,
      units: [
        unit('init.scope', SYSTEM),
        unit('system.slice', SYSTEM),
        unit('user.slice', SYSTEM),
        unit('db.slice', [6, 7]),
      ],
      tasks,
      records,
      boot: { isInstalled: true, ownText: undefined, againText: undefined, program: [] },
      ...facts,
    }),
    wanted: {
      system: without(
        all,
        records.flatMap(({ cpus }) => cpus),
      ),
      all,
      open: all,
      left: [],
      files: [],
      units: [
        ...['init.scope', 'system.slice', 'user.slice'].map((name) => ({
          unit: name,
          role: 'system' as const,
          cpus: SYSTEM,
          memoryNodes: [],
        })),
        { unit: 'db.slice', role: 'payload', cpus: [6, 7], memoryNodes: [] },
      ],
      groups: [],
      partitions: [],
      interrupts: undefined,
      workqueues: undefined,
      kernelThreads: undefined,
      ...wanted,
    },
    records,
    traces: {
      rootControllers: ['cpuset', 'memory', 'pids'],
      meddlers: [],
      texts: new Map(),
      leftovers: [],
      managed: new Set(),
      ...traces,
    },
  };
}
