import type { Action, Parameters } from '../../change/plan.ts';
import { equalSets, type IndexSet, parseIndexSet } from '../../core/cpuset.ts';
import type { HoldHost } from './host.ts';
import { noteSlices, type SliceDropIns, tidySlices } from './leftovers.ts';
import type { LaterParameters } from './parameters.ts';
import { confineLate, giveByFiles, sweepSlices } from './sweep.ts';

/** `cpus.later`. May stand twice in a plan: what comes while files go is found only after they have gone. */
export function laterAction(host: HoldHost): Action {
  const pass = async (from: IndexSet, to: IndexSet, all: IndexSet): Promise<void> => {
    if (from.length > 0 && !equalSets(from, to)) {
      const isAll = to.length === 0;
      await sweepSlices(host, { name: 'AllowedCPUs', from, to: isAll ? all : to, isAll });
    }
    if (to.length > 0) await confineLate(host, 'AllowedCPUs', to);
  };
  const tidy = (facts: Parameters, sets: readonly IndexSet[]): Promise<void> =>
    tidySlices(host, facts as unknown as SliceDropIns, { name: 'AllowedCPUs', sets });
  return {
    assertAsPlanned: async () => undefined,
    facts: async () => ({ ...(await noteSlices(host, 'AllowedCPUs')) }),
    async carryOut(parameters, facts) {
      const { before, after, all, onlyBack } = read(parameters);
      if (onlyBack) return undefined;
      await pass(before, after, all);
      await tidy(facts, [before, after, all]);
      return undefined;
    },
    async takeBack(parameters, facts) {
      const { before, after, all, units } = read(parameters);
      await pass(after, before, all);
      for (const { unit, cpus } of units) await giveByFiles(host, unit, 'AllowedCPUs', { from: cpus, all });
      await tidy(facts, [before, after, all]);
    },
  };
}

function read(parameters: Parameters) {
  const { before, after, all, onlyBack = false, units = [] } = parameters as unknown as LaterParameters;
  const set = (text: string): IndexSet => parseIndexSet(text, 'AllowedCPUs');
  const withSets = units.map(({ unit, cpus }) => ({ unit, cpus: set(cpus) }));
  return { before: set(before), after: set(after), all: set(all), onlyBack, units: withSets };
}
