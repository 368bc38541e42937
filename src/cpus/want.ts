import { union, without } from '../core/cpuset.ts';
import type { CpuFacts, ReservationRecord, Wanted } from './model.ts';

/** How the host must be while the records hold. Pure. */
export function wantedFor(facts: CpuFacts, records: readonly ReservationRecord[]): Wanted {
  const { topology } = facts;
  const all = without(topology.possible, topology.isolated);
  const system = without(all, union(...records.map(({ cpus }) => cpus)));
  return {
    system,
    all,
    files: [],
    units: [],
    groups: [],
    partitions: [],
    interrupts: undefined,
    workqueues: undefined,
    kernelThreads: undefined,
  };
}
