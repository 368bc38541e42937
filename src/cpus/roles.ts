import { type IndexSet, intersection, printIndexSet, union, without } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import type { Topology } from '../host/topology.ts';

/** CPUs that a slice has for itself. */
export interface Reservation {
  /** Of the slice or unit that has them. */
  readonly name: string;
  readonly cpus: IndexSet;
}

/** What a choice of CPUs is made from. */
export interface Ground {
  readonly topology: Topology;
  /** Those that hold already: their CPUs are neither free nor the system's. */
  readonly reservations: readonly Reservation[];
  /** Device interrupts since boot on each CPU. */
  readonly interrupts: ReadonlyMap<number, number>;
}

/**
 * The CPUs that are left for the system when the payload has its own: all that are possible, so that one that comes
 * online later is among them, without those of other reservations and of `isolcpus=`, where nothing is balanced.
 */
export function systemCpus({ topology, reservations }: Ground, payload: IndexSet): IndexSet {
  return without(topology.possible, union(payload, topology.isolated, ...reservations.map(({ cpus }) => cpus)));
}

/** Both sets by their roles, as they are online: `payload CPUs 4-7, system CPUs 0-3`. */
export function rolesText(ground: Ground, payload: IndexSet): string {
  const system = intersection(systemCpus(ground, payload), ground.topology.online);
  return `payload CPUs ${listText(payload)}, system CPUs ${listText(system)}`;
}

/** A list, or `none`. */
export function listText(cpus: IndexSet): string {
  return printIndexSet(cpus) || 'none';
}

/** The refusal of a set of payload CPUs, which names both sets. */
export function refusePayload(ground: Ground, payload: IndexSet, why: string, hint: string): SlicectlError {
  return new SlicectlError('E_REFUSED', `${why} (${rolesText(ground, payload)})`, {
    hint,
    data: { payload: printIndexSet(payload), system: printIndexSet(systemCpus(ground, payload)) },
  });
}

// Below this a share says nothing: a few lines that fired during boot.
const FEW_INTERRUPTS = 1000;

/** CPUs on which more than twice as many device interrupts came as on the average CPU that is online. */
export function heavyCpus({ topology, interrupts }: Ground): IndexSet {
  const counts = topology.online.map((cpu) => interrupts.get(cpu) ?? 0);
  const average = counts.reduce((sum, count) => sum + count, 0) / Math.max(counts.length, 1);
  return topology.online.filter((_, at) => (counts[at] ?? 0) > Math.max(2 * average, FEW_INTERRUPTS));
}
