import { type IndexSet, intersection, union, without } from '../core/cpuset.ts';
import { sliceLevels } from '../core/unit-name.ts';
import type { CpuFacts, ReservationRecord, UnitFacts } from './model.ts';

/** The slice of the kubelet's pods, where nothing else is said. */
export const KUBEPODS = 'kubepods.slice';

/** What there is to divide: CPUs of `isolcpus=` are nobody's unless they are named. */
export function allCpus({ topology }: Pick<CpuFacts, 'topology'>): IndexSet {
  return without(topology.possible, topology.isolated);
}

export function systemSet(facts: Pick<CpuFacts, 'topology'>, records: readonly ReservationRecord[]): IndexSet {
  return without(allCpus(facts), payloadOf(records));
}

export function payloadOf(records: readonly ReservationRecord[]): IndexSet {
  return union(...records.map(({ cpus }) => cpus));
}

/** Whose CPUs a slice gets: those of the top-level slice that it is in. */
export type SliceRole =
  | { readonly kind: 'payload'; readonly record: ReservationRecord }
  /** Nothing of ours: kept by `--keep`, or the kubelet's. */
  | { readonly kind: 'left' }
  | { readonly kind: 'system' };

export function roleOf(facts: CpuFacts, records: readonly ReservationRecord[], slice: string): SliceRole {
  const [top = slice] = sliceLevels(slice);
  if (leftSlices(facts, records).includes(top)) return { kind: 'left' };
  const record = records.find(({ name }) => name === top);
  return record === undefined ? { kind: 'system' } : { kind: 'payload', record };
}

/** Top-level slices that get no set from the reservations. */
export function leftSlices(facts: CpuFacts, records: readonly ReservationRecord[]): readonly string[] {
  const ofKubelet = [
    ...podsTops(facts).filter((name) => name.endsWith('.slice')),
    ...(records.some(({ kubelet }) => kubelet) ? [KUBEPODS] : []),
  ];
  return [...new Set([...records.flatMap(({ keep }) => keep), ...ofKubelet])].sort();
}

/** The names of the top-level groups in which the kubelet has its pods, with either driver. */
export function podsTops({ kubelet }: CpuFacts): readonly string[] {
  return (kubelet?.podsGroups ?? []).flatMap((path) => /^\/([^/]+)/.exec(path)?.[1] ?? []);
}

/** What is open to a unit: of the CPUs that it asked for itself those that are, and all where none of them is. */
export function shareOf({ given }: Pick<UnitFacts, 'given'>, open: IndexSet): IndexSet {
  const share = intersection(given, open);
  return share.length === 0 ? open : share;
}

/**
 * Top-level groups that systemd did not make, such as `/docker` of Docker's cgroupfs driver, without the kubelet's. Where
 * nobody uses the controller they have no files of it yet, and get them with it.
 */
export function foreignGroups(facts: CpuFacts): readonly string[] {
  const pods = podsTops(facts);
  return (facts.groups?.version === 2 ? facts.groups.groups : [])
    .filter(({ path, unit }) => unit === undefined && path.lastIndexOf('/') === 0 && !pods.includes(path.slice(1)))
    .map(({ path }) => path);
}

/** Groups that a record which lasts notes: those that are there, and those that it knew. */
export function groupsToNote(facts: CpuFacts, known: readonly string[] = []): readonly string[] {
  return [...new Set([...known, ...foreignGroups(facts)])].sort();
}

/** Whether a service or scope is right below the root, where no slice confines it. */
export function isLoose({ name, slice }: Pick<UnitFacts, 'name' | 'slice'>): boolean {
  return slice === '-.slice' && /\.(?:service|scope)$/.test(name) && name !== 'init.scope';
}
