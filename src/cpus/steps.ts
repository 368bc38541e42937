import type { Step } from '../change/plan.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { CpuFacts, Wanted } from './model.ts';

/** Where steps are made for. */
export interface StepGround {
  readonly tree: RootTree;
}

/** The steps from what is to what is wanted, in an order that leaves no task narrow; none where all is so already. */
export function stepsTo(_facts: CpuFacts, _wanted: Wanted, _ground: StepGround): readonly Step[] {
  return [];
}
