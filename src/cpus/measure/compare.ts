import { type IndexSet, intersection, printIndexSet, without } from '../../core/cpuset.ts';
import { type Distribution, joined } from './distribution.ts';
import type { CpuRole, Measurement } from './model.ts';

/** The wake-ups of all CPUs of one role, of one measurement. */
export interface Series {
  readonly role: CpuRole;
  /** Undefined where there is one measurement alone. */
  readonly when: 'before' | 'after' | undefined;
  readonly cpus: IndexSet;
  readonly late: Distribution;
}

export interface Comparison {
  /** By role, payload first; before in front of after. */
  readonly series: readonly Series[];
  /** In what the two differ besides, sentence by sentence. */
  readonly differences: readonly string[];
}

const ROLES: readonly CpuRole[] = ['payload', 'system'];

/**
 * Puts two measurements side by side. Roles are those of the later one: before a reservation the same CPUs were all the
 * system's.
 */
export function compare(after: Measurement, before?: Measurement): Comparison {
  const series = ROLES.flatMap((role): Series[] => {
    const cpus = cpusOf(after, role);
    if (cpus.length === 0) return [];
    const own: Series = { role, when: before && 'after', cpus, late: lateOf(after, cpus) };
    const common = before ? intersection(cpus, cpusOf(before)) : [];
    return before && common.length > 0
      ? [{ role, when: 'before', cpus: common, late: lateOf(before, common) }, own]
      : [own];
  });
  return { series, differences: before ? differencesOf(after, before) : [] };
}

function cpusOf({ cpus }: Measurement, role?: CpuRole): IndexSet {
  return cpus
    .filter((one) => role === undefined || one.role === role)
    .map(({ cpu }) => cpu)
    .sort((a, b) => a - b);
}

function lateOf({ cpus }: Measurement, of: IndexSet): Distribution {
  return joined(cpus.filter(({ cpu }) => of.includes(cpu)).map(({ late }) => late));
}

function differencesOf(after: Measurement, before: Measurement): string[] {
  const other = (what: string, was: string | number, is: string | number): string[] =>
    was === is ? [] : [`${what} was ${was} before and is ${is} now`];
  const missing = without(cpusOf(after), cpusOf(before));
  const scheduling = (of: Measurement): string => [...new Set(of.cpus.map((one) => one.scheduling))].join(', ');
  const load = (of: Measurement): string => `${Math.round(of.machine.load[1])}`;
  return [
    ...(missing.length === 0 ? [] : [`CPUs ${printIndexSet(missing)} were not measured before`]),
    ...other('the kernel', before.machine.kernel, after.machine.kernel),
    ...other('the time in seconds', before.seconds, after.seconds),
    ...other('the interval in microseconds', before.intervalUs, after.intervalUs),
    ...other('the scheduling of the probes', scheduling(before), scheduling(after)),
    ...other('the load', load(before), load(after)),
  ];
}
