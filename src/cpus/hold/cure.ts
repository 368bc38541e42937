import type { Action, Parameters } from '../../change/plan.ts';
import { parseIndexSet } from '../../core/cpuset.ts';
import { confine, differing } from './force.ts';
import type { HoldHost } from './host.ts';
import { readLoaded, setLoaded } from './loaded.ts';
import type { CureParameters } from './parameters.ts';
import { KINDS } from './sets.ts';
import { readOwnDropIns, restoreOwnDropIns } from './written.ts';

const NAME = 'AllowedCPUs';

/**
 * `cpus.cure`: gives tasks the masks of their group again, by another set for a moment. Nothing of it stays but the masks,
 * so that there is nothing to take back. A reload has to follow where the unit asks for no CPUs of its own.
 */
export function cureAction(host: HoldHost): Action {
  return {
    assertAsPlanned: async () => undefined,
    facts: async (parameters) => ({ own: readOwnDropIns(host.tree, read(parameters).unit, NAME) }),
    async carryOut(parameters, facts) {
      const { unit, all } = read(parameters);
      const loaded = await readLoaded(host, unit, NAME);
      if (loaded?.cgroup === undefined) return undefined;
      const set = loaded.property.length > 0 ? loaded.property : all;
      await setLoaded(host, unit, NAME, differing(set, KINDS[NAME].online(host.paths)));
      await confine(host, unit, NAME, set);
      restoreOwnDropIns(host.tree, (facts as unknown as { own: ReturnType<typeof readOwnDropIns> }).own);
      return undefined;
    },
    takeBack: async () => undefined,
  };
}

function read(parameters: Parameters) {
  const { unit, all } = parameters as unknown as CureParameters;
  return { unit, all: parseIndexSet(all, NAME) };
}
