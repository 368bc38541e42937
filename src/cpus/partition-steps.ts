import type { Step } from '../change/plan.ts';
import { equalSets, type IndexSet, printIndexSet } from '../core/cpuset.ts';
import type { PartitionParameters } from './hold/parameters.ts';
import type { CpuFacts, PartitionType, Wanted } from './model.ts';
import { listText } from './roles.ts';

interface Held {
  readonly type: PartitionType;
  readonly cpus: IndexSet;
  readonly isValid: boolean;
}

/** Partitions of ours that are to be none, or have other CPUs or another type: members first. */
export function partitionsBack(
  facts: CpuFacts,
  { before, wanted }: { readonly before: Wanted; readonly wanted: Wanted },
): readonly Step[] {
  return before.partitions.flatMap(({ unit }) => {
    const held = heldBy(facts, unit);
    const isKept = wanted.partitions.some(
      (one) => one.unit === unit && one.type === held?.type && hasCpus(wanted, unit, held),
    );
    return held === undefined || isKept ? [] : [step(unit, held.cpus, held.type, 'member')];
  });
}

export function partitionsOn(facts: CpuFacts, wanted: Wanted): readonly Step[] {
  return wanted.partitions.flatMap(({ unit, type }) => {
    const held = heldBy(facts, unit);
    if (held?.isValid && held.type === type && hasCpus(wanted, unit, held)) return [];
    return [step(unit, cpusOf(wanted, unit), 'member', type)];
  });
}

const cpusOf = ({ units }: Wanted, name: string): IndexSet => units.find(({ unit }) => unit === name)?.cpus ?? [];

const hasCpus = (wanted: Wanted, unit: string, { cpus }: Held): boolean => equalSets(cpusOf(wanted, unit), cpus);

/** Undefined for a member. */
function heldBy({ groups }: CpuFacts, unit: string): Held | undefined {
  const group = groups?.groups.find((one) => one.path === `/${unit}`);
  const { type = 'member', invalid } = group?.partition ?? {};
  return type === 'member' ? undefined : { type, cpus: group?.asked ?? [], isValid: invalid === undefined };
}

function step(
  unit: string,
  cpus: IndexSet,
  before: PartitionParameters['before'],
  after: PartitionParameters['after'],
): Step {
  const parameters: PartitionParameters = { unit, cpus: printIndexSet(cpus), before, after };
  const does = (type: PartitionParameters['after']): string =>
    type === 'member' ? `make ${unit} a member of its parent's partition` : `make ${unit} a partition of type ${type}`;
  return {
    kind: 'action',
    action: 'cpus.partition',
    parameters: { ...parameters },
    does: does(after),
    doesBack: does(before),
    details: [`cpuset.cpus.partition ${before} → ${after}, CPUs ${listText(cpus)}`],
    subjects: [`cpuset.cpus.partition of ${unit}`],
    purpose: after === 'member' ? 'before its CPUs change' : 'its CPUs leave every other group',
  };
}
