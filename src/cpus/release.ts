import type { Plan } from '../change/plan.ts';
import { badInput } from '../core/errors.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { CpuFacts } from './model.ts';

/** The plan that gives the CPUs of a slice back to the system. Writes nothing. */
export function planRelease(_facts: CpuFacts, _tree: RootTree, _name: string): Plan {
  throw badInput('release is not there yet');
}
