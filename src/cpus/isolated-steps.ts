import type { ActionStep, PlanNote, Step } from '../change/plan.ts';
import { type IndexSet, intersection, printIndexSet } from '../core/cpuset.ts';
import { managerCpus } from '../host/manager-affinity.ts';
import type { IsolatedParameters } from './hold/parameters.ts';
import { keepsAffinity } from './kernel-version.ts';
import type { CpuFacts } from './model.ts';
import { listText } from './roles.ts';

/** CPUs of `isolcpus=` that tasks are on again after a reservation, though they had not been there before it. */
function opened(facts: CpuFacts): IndexSet {
  const { isolated } = facts.topology;
  const given = managerCpus(facts);
  // Its own configuration takes PID 1 there.
  return given !== undefined && intersection(given, isolated).length > 0 ? [] : isolated;
}

/**
 * Keeps tasks off the CPUs of `isolcpus=` when nothing is reserved any more: with the release, or, noted before all else of
 * the first reservation, with the undo of that.
 */
export function isolatedSteps(facts: CpuFacts, when: IsolatedParameters['when']): readonly (ActionStep & Step)[] {
  const isolated = opened(facts);
  if (isolated.length === 0 || !keepsAffinity(facts.kernel)) return [];
  const except = facts.units.flatMap(({ affinity, cgroup }) =>
    cgroup !== '' && intersection(affinity, isolated).length > 0 ? [cgroup] : [],
  );
  const parameters: IsolatedParameters = { isolated: printIndexSet(isolated), when, except };
  const keep = `keep tasks off CPUs ${listText(isolated)} of isolcpus=`;
  const note = `note that tasks are not on CPUs ${listText(isolated)} of isolcpus=`;
  return [
    {
      kind: 'action',
      action: 'cpus.isolated',
      parameters: { ...parameters },
      does: when === 'forward' ? keep : note,
      doesBack: when === 'forward' ? note : keep,
      subjects: ['isolcpus='],
      purpose: 'a cpuset opens them to all, also when it goes',
    },
  ];
}

/** Where nothing keeps them off. */
export function staysOpened(facts: CpuFacts): readonly PlanNote[] {
  const isolated = opened(facts);
  if (isolated.length === 0 || keepsAffinity(facts.kernel) || facts.records.length > 0) return [];
  const version = facts.kernel.join('.');
  return [
    {
      severity: 'impact',
      text: `when this reservation is over, all tasks may run on CPUs ${listText(isolated)} of isolcpus= until the next boot: that is how Linux ${version} ends a cpuset, also one of others, and as Linux 6.2 and later do not it forgets there what a task may use`,
      items: [],
    },
  ];
}
