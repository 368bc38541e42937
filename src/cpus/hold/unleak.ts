import type { Action, Parameters } from '../../change/plan.ts';
import { equalSets, intersection, parseIndexSet, printIndexSet, without } from '../../core/cpuset.ts';
import { confine } from './force.ts';
import type { HoldHost } from './host.ts';
import { readLoaded, setLoaded } from './loaded.ts';
import type { UnleakParameters } from './parameters.ts';
import { asking, dropScratch, giveBackLeaked, leakedCpus } from './partition.ts';
import { type OwnDropIns, readOwnDropIns, restoreOwnDropIns } from './written.ts';

const NAME = 'AllowedCPUs';

/** A unit that does without the CPUs for a moment, and what it had. */
interface Lender {
  readonly unit: string;
  readonly cpus: string;
  readonly own: OwnDropIns;
}

/**
 * `cpus.unleak`: gives all CPUs that the kernel keeps to nobody. A partition takes them over, which it can only where no
 * group beside it asks for them (cgroup-v2.rst, cpuset.cpus.partition): units that do leave them out meanwhile, which takes
 * nothing from them. A leak is no state to go back to. A reload has to follow where units ask for no CPUs of their own.
 */
export function unleakAction(host: HoldHost): Action {
  return {
    assertAsPlanned: async () => undefined,
    facts: async (parameters) => ({ lenders: await lendersOf(host, parameters) }),
    async carryOut(parameters, facts) {
      const { cpus } = read(parameters);
      if (intersection(leakedCpus(host), cpus).length === 0) return giveAgain(host, parameters, facts);
      for (const { unit, cpus: had } of lendersIn(facts)) {
        await setLoaded(host, unit, NAME, without(parseIndexSet(had, NAME), cpus));
      }
      try {
        await giveBackLeaked(host, cpus);
      } catch (error) {
        await giveAgain(host, parameters, facts);
        throw error;
      }
      for (const { unit, cpus: had, own } of lendersIn(facts)) {
        await confine(host, unit, NAME, parseIndexSet(had, NAME));
        restoreOwnDropIns(host.tree, own);
      }
      return undefined;
    },
    takeBack: async (parameters, facts) => {
      await dropScratch(host);
      await giveAgain(host, parameters, facts);
    },
  };
}

/** A partition must not change while it is one, and a group without any other CPU would have those of the one above. */
async function lendersOf(host: HoldHost, parameters: Parameters): Promise<readonly Lender[]> {
  const { cpus, all } = read(parameters);
  const lenders: Lender[] = [];
  for (const { unit, partition } of asking(host, cpus)) {
    if (unit === undefined || (partition?.type ?? 'member') !== 'member') continue;
    const property = (await readLoaded(host, unit, NAME))?.property;
    const had = property?.length === 0 ? all : property;
    if (had === undefined || without(had, cpus).length === 0) continue;
    lenders.push({ unit, cpus: printIndexSet(had), own: readOwnDropIns(host.tree, unit, NAME) });
  }
  return lenders;
}

/** After a failure, or where a step that was killed left them without. */
async function giveAgain(host: HoldHost, parameters: Parameters, facts: Parameters): Promise<undefined> {
  const { cpus } = read(parameters);
  for (const { unit, cpus: text, own } of lendersIn(facts)) {
    const had = parseIndexSet(text, NAME);
    const now = (await readLoaded(host, unit, NAME))?.property ?? [];
    if (!equalSets(now, without(had, cpus))) continue;
    await setLoaded(host, unit, NAME, had);
    restoreOwnDropIns(host.tree, own);
  }
}

const lendersIn = (facts: Parameters): readonly Lender[] =>
  (facts as unknown as { lenders: readonly Lender[] }).lenders;

function read(parameters: Parameters) {
  const { cpus, all } = parameters as unknown as UnleakParameters;
  return { cpus: parseIndexSet(cpus, NAME), all: parseIndexSet(all, NAME) };
}
