import type { Refusal } from '../../change/plan.ts';
import { intersection, isSubset } from '../../core/cpuset.ts';
import { quote } from '../../core/errors.ts';
import { listText, type Reservation } from '../roles.ts';
import type { LeaseList } from './store.ts';

/** A job that has CPUs for itself, as reservations look at it. `within` is the one that it is a part of. */
export interface JobCpus extends Reservation {
  readonly within: string | undefined;
}

/** `E_SYNTAX` while there is a lease that cannot be read: to leave it out would give its CPUs away. */
export function jobsOf({ held, faults }: Pick<LeaseList, 'held' | 'faults'>): readonly JobCpus[] {
  const [fault] = faults;
  if (fault !== undefined) throw fault;
  return held.map(({ command, unit, cpus, reservation }) => ({
    name: `the job ${unit ?? quote(command)}`,
    cpus,
    within: reservation,
  }));
}

/** Why a slice cannot have these CPUs: jobs elsewhere have some of them, or jobs in it would lose theirs. */
export function jobRefusals({ name: slice, cpus: wanted }: Reservation, jobs: readonly JobCpus[]): readonly Refusal[] {
  return jobs.flatMap(({ name, cpus, within }): Refusal[] => {
    if (within === slice) {
      if (isSubset(cpus, wanted)) return [];
      return [{ reason: `${name} has CPUs ${listText(cpus)} of ${within} for itself`, hint: 'wait for its end' }];
    }
    const both = intersection(cpus, wanted);
    if (both.length === 0) return [];
    return [{ reason: `${name} has CPUs ${listText(both)} for itself`, hint: 'wait for its end, or name other CPUs' }];
  });
}
