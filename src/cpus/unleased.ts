import type { CheckStep, Step } from '../change/plan.ts';
import { printIndexSet } from '../core/cpuset.ts';
import type { UnleasedExpectation } from './hold/parameters.ts';
import { listText, type Reservation } from './roles.ts';

/** Looks whether jobs took CPUs that are to be reserved, since the plan was made and until the record is there. */
export function unleasedSteps({ name, cpus }: Reservation): Readonly<Record<'before' | 'after', Step & CheckStep>> {
  const expect: UnleasedExpectation = { cpus: printIndexSet(cpus), within: name };
  const step = { kind: 'check', check: 'cpus.unleased', expect: { ...expect } } as const;
  return {
    before: { ...step, purpose: `no job elsewhere has some of CPUs ${listText(cpus)} for itself` },
    after: { ...step, purpose: 'none took some of them until that was written down' },
  };
}
