import { type IndexSet, intersection, isSubset, printIndexSet, union, without } from '../../core/cpuset.ts';
import { badInput } from '../../core/errors.ts';
import type { Topology } from '../../host/topology.ts';
import { listText, type Reservation, systemCpus } from '../roles.ts';
import type { Target } from './model.ts';

export interface TargetRequest {
  readonly topology: Topology;
  /** Those to measure: one by name, or all. */
  readonly reservations: readonly Reservation[];
  /** All that hold, whose CPUs are no system CPUs. */
  readonly all: readonly Reservation[];
  /** Only these CPUs. */
  readonly cpus: IndexSet | undefined;
  /** Whether slices are systemd's. */
  readonly hasSystemd: boolean;
}

/**
 * What to measure: each payload CPU that is online and as many system CPUs, spread over those; or the CPUs that are asked
 * for, each in its role. Without a reservation all CPUs are the system's. `E_INPUT` for CPUs that are not online.
 */
export function targetsOf({ topology, reservations, all, cpus, hasSystemd }: TargetRequest): readonly Target[] {
  const { online } = topology;
  if (cpus && !isSubset(cpus, online)) {
    throw badInput(
      `--cpus ${printIndexSet(cpus)} has CPUs that are not online: ${printIndexSet(without(cpus, online))}`,
      `online are ${printIndexSet(online)}`,
    );
  }
  const slices = new Map(all.flatMap(({ name, cpus: own }) => own.map((cpu) => [cpu, name] as const)));
  const payload = intersection(union(...reservations.map((one) => one.cpus)), online);
  const system = intersection(systemCpus({ topology, reservations: all, interrupts: new Map() }, []), online);
  const chosen = cpus ?? (payload.length === 0 ? online : union(payload, spread(system, payload.length)));
  // Work of the system is here; slicectl itself may have been started from a slice that is confined otherwise.
  const systemSlice = hasSystemd && all.length > 0 ? 'system.slice' : undefined;
  return chosen.map((cpu) => {
    const slice = slices.get(cpu);
    return slice === undefined ? { cpu, role: 'system', slice: systemSlice } : { cpu, role: 'payload', slice };
  });
}

/** So many of a set, evenly. */
function spread(set: IndexSet, count: number): IndexSet {
  if (count >= set.length) return set;
  return Array.from({ length: count }, (_, at) => set[Math.floor((at * set.length) / count)] as number);
}

/** `payload CPUs 2-3, system CPUs 0-1`, of those that are measured. */
export function measuredText(targets: readonly Pick<Target, 'cpu' | 'role'>[]): string {
  const of = (role: Target['role']): IndexSet => targets.filter((one) => one.role === role).map(({ cpu }) => cpu);
  return `payload CPUs ${listText(of('payload'))}, system CPUs ${listText(of('system'))}`;
}
