import { type IndexSet, without } from '../core/cpuset.ts';
import { sliceLevels } from '../core/unit-name.ts';
import { layoutOf } from './layout.ts';
import type { CpuFacts, ReservationRecord, UnitFacts, Wanted, WantedGroup, WantedUnit } from './model.ts';
import { LASTING, UNTIL_REBOOT } from './own-files.ts';
import { recordPath, recordText } from './record.ts';
import { allCpus, foreignGroups, isLoose, leftSlices, payloadOf, roleOf, shareOf, systemSet } from './shares.ts';

/**
 * How the host must be while the records hold, and with none as it was before. Pure. What lasts and what holds until
 * reboot are written apart, the latter for all reservations, so that the former is right by itself after a boot.
 */
export function wantedFor(facts: CpuFacts, records: readonly ReservationRecord[]): Wanted {
  const all = allCpus(facts);
  const lasting = records.filter(({ runtime }) => !runtime);
  return {
    system: systemSet(facts, records),
    all,
    open: facts.topology.possible,
    left: records.length === 0 ? [] : leftSlices(facts, records),
    files: [
      ...records.map((record) => ({
        path: recordPath(record),
        text: recordText(record),
        purpose: `the reservation of ${record.name}, written down`,
      })),
      ...(lasting.length > 0 ? layoutOf(facts, lasting, LASTING) : []),
      ...(lasting.length < records.length ? layoutOf(facts, records, UNTIL_REBOOT) : []),
    ],
    units: unitsOf(facts, records),
    groups: records.length === 0 ? [] : groupsOf(facts, records),
    partitions: records.flatMap(({ name, partition }) =>
      partition === undefined ? [] : [{ unit: name, type: partition }],
    ),
    interrupts: keptFrom(all, records, ({ interrupts }) => interrupts),
    workqueues: keptFrom(all, records, ({ workqueues }) => workqueues),
    // The kernel itself keeps them off the CPUs of partitions, and refuses a set of these alone.
    kernelThreads: records.some(({ kernelThreads }) => kernelThreads)
      ? keptFrom(all, records, ({ kernelThreads, partition }) => kernelThreads || partition !== undefined)
      : undefined,
  };
}

function unitsOf(facts: CpuFacts, records: readonly ReservationRecord[]): readonly WantedUnit[] {
  const system = systemSet(facts, records);
  const tops = facts.units.filter((unit) => isTop(unit) && unit.activeState !== 'inactive');
  const others = tops.map((unit): WantedUnit => {
    const { name, given, givenNodes } = unit;
    const isConfined = records.length > 0 && (isLoose(unit) || roleOf(facts, records, name).kind === 'system');
    const cpus = isConfined ? shareOf(unit, system) : given;
    return { unit: name, role: 'system', cpus, memoryNodes: givenNodes };
  });
  const payloads = records.filter(({ kubelet }) => !kubelet);
  return [
    ...others.filter(({ unit }) => !payloads.some(({ name }) => name === unit)),
    ...payloads.map(({ name, cpus, memoryNodes }): WantedUnit => ({ unit: name, role: 'payload', cpus, memoryNodes })),
  ];
}

/** Units right below the root: init.scope, slices, and services and scopes of the root slice. */
export function isTop(unit: Pick<UnitFacts, 'name' | 'slice'>): boolean {
  const { name } = unit;
  return name === 'init.scope' || isLoose(unit) || (name.endsWith('.slice') && sliceLevels(name).length === 1);
}

function groupsOf(facts: CpuFacts, records: readonly ReservationRecord[]): readonly WantedGroup[] {
  const cpus = systemSet(facts, records);
  return foreignGroups(facts).map((path) => ({ path, cpus }));
}

/** All CPUs but those of the reservations that ask for it. */
function keptFrom(
  all: IndexSet,
  records: readonly ReservationRecord[],
  asks: (record: ReservationRecord) => boolean,
): IndexSet | undefined {
  const asking = records.filter(asks);
  return asking.length === 0 ? undefined : without(all, payloadOf(asking));
}
