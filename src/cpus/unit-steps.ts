import type { Step } from '../change/plan.ts';
import { equalSets, type IndexSet, isSubset, printIndexSet } from '../core/cpuset.ts';
import type { GroupParameters, SetName, UnitParameters } from './hold/parameters.ts';
import type { CpuFacts, UnitFacts, Wanted, WantedUnit } from './model.ts';
import { listText } from './roles.ts';

/** Steps for loaded units, by what they do. */
export interface UnitSteps {
  /** Units of the system, narrower ones before wider ones. */
  readonly confined: readonly Step[];
  readonly payload: readonly Step[];
  /** Units that lose their set, former payload slices first: none may stay narrow when the files go. */
  readonly freed: readonly Step[];
}

export function unitSteps(facts: CpuFacts, { before, wanted }: Change): UnitSteps {
  const wasPayload = new Set(before.units.flatMap(({ unit, role }) => (role === 'payload' ? [unit] : [])));
  const steps = wanted.units.flatMap((unit) => stepsOf(facts, wanted, unit));
  const pick = (which: (made: Made) => boolean): Step[] => steps.filter(which).map(({ step }) => step);
  const isFreed = ({ after }: Made): boolean => after.length === 0;
  const isPayload = ({ unit }: Made): boolean => unit.role === 'payload';
  return {
    confined: [
      ...pick((made) => !isFreed(made) && !isPayload(made) && made.isNarrower),
      ...pick((made) => !isFreed(made) && !isPayload(made) && !made.isNarrower),
    ],
    payload: pick((made) => !isFreed(made) && isPayload(made)),
    freed: [
      ...pick((made) => isFreed(made) && wasPayload.has(made.unit.unit)),
      ...pick((made) => isFreed(made) && !wasPayload.has(made.unit.unit)),
    ],
  };
}

interface Change {
  /** By the records as they are. */
  readonly before: Wanted;
  readonly wanted: Wanted;
}

interface Made {
  readonly step: Step;
  readonly unit: WantedUnit;
  readonly after: IndexSet;
  readonly isNarrower: boolean;
}

function stepsOf(facts: CpuFacts, wanted: Wanted, unit: WantedUnit): readonly Made[] {
  const now = facts.units.find(({ name, activeState }) => name === unit.unit && activeState !== 'inactive');
  const nodes = facts.topology.nodes.map(({ id }) => id);
  const make = (name: SetName, before: IndexSet, after: IndexSet, all: IndexSet): Made => ({
    step: unitStep(unit, name, { before, after, all }),
    unit,
    after,
    isNarrower: before.length === 0 || isSubset(after, before),
  });
  const before = now?.allowed ?? [];
  const beforeNodes = now?.memoryNodes ?? [];
  return [
    ...(isHeld(facts, now, unit) ? [] : [make('AllowedCPUs', before, unit.cpus, wanted.open)]),
    ...(equalSets(beforeNodes, unit.memoryNodes)
      ? []
      : [make('AllowedMemoryNodes', beforeNodes, unit.memoryNodes, nodes)]),
  ];
}

/**
 * Whether property and kernel are as wanted. What a set that is gone left explicitly wide is no fault; a group without
 * cpuset files is one, since somebody took the controller away.
 */
function isHeld({ groups }: CpuFacts, now: UnitFacts | undefined, { cpus }: WantedUnit): boolean {
  if (!equalSets(now?.allowed ?? [], cpus)) return false;
  if (cpus.length === 0 || groups === undefined || now === undefined || now.cgroup === '') return true;
  const asked = groups.groups.find(({ path }) => path === now.cgroup)?.asked;
  return asked !== undefined && equalSets(asked, cpus);
}

const WORDS = {
  AllowedCPUs: { what: 'CPUs', all: 'all CPUs' },
  AllowedMemoryNodes: { what: 'memory nodes', all: 'all memory nodes' },
} as const;

function unitStep(
  { unit, role }: WantedUnit,
  name: SetName,
  { before, after, all }: { readonly before: IndexSet; readonly after: IndexSet; readonly all: IndexSet },
): Step {
  const parameters: UnitParameters = {
    unit,
    name,
    before: printIndexSet(before),
    after: printIndexSet(after),
    all: printIndexSet(all),
  };
  const does = (set: IndexSet): string =>
    set.length === 0
      ? `give ${unit} ${WORDS[name].all} again`
      : `confine ${unit} to ${roleWord(role, name)} ${listText(set)}`;
  return {
    kind: 'action',
    action: 'cpus.unit',
    parameters: { ...parameters },
    does: does(after),
    doesBack:
      before.length === 0
        ? `give ${unit} ${WORDS[name].all} again`
        : `give ${unit} its ${WORDS[name].what} ${listText(before)} again`,
    details: [
      equalSets(before, after)
        ? `${name} ${shown(after)}, which the kernel does not hold`
        : `${name} ${shown(before)} → ${shown(after)}`,
    ],
    subjects: [`${name} of ${unit}`],
    purpose:
      role === 'payload'
        ? 'the reservation itself'
        : after.length === 0
          ? 'nothing is reserved from it'
          : 'it leaves the payload CPUs',
  };
}

function roleWord(role: WantedUnit['role'], name: SetName): string {
  return name === 'AllowedCPUs' ? `${role} CPUs` : WORDS[name].what;
}

function shown(set: IndexSet): string {
  return set.length === 0 ? 'not set' : listText(set);
}

/** Groups that systemd did not make; those that are ours no longer get their sets back. */
export function groupSteps({ groups }: CpuFacts, { before, wanted }: Change): readonly Step[] {
  const paths = [...new Set([...wanted.groups, ...before.groups].map(({ path }) => path))];
  return paths.flatMap((path): Step[] => {
    const group = groups?.groups.find((one) => one.path === path);
    const asked = group?.asked ?? [];
    const after = wanted.groups.find((group) => group.path === path)?.cpus ?? [];
    const ours = before.groups.find((group) => group.path === path)?.cpus ?? [];
    // What somebody else has set since is theirs.
    if (equalSets(asked, after) || (after.length === 0 && !equalSets(asked, ours))) return [];
    const parameters: GroupParameters = {
      path,
      before: printIndexSet(asked),
      after: printIndexSet(after),
      all: printIndexSet(wanted.open),
      ...(group === undefined && { make: true }),
    };
    const wide = `give the group ${path} all CPUs again`;
    return [
      {
        kind: 'action',
        action: 'cpus.group',
        parameters: { ...parameters },
        does:
          after.length === 0
            ? wide
            : `${group === undefined ? 'make' : 'confine'} the group ${path} ${group === undefined ? 'with' : 'to'} system CPUs ${listText(after)}`,
        doesBack: asked.length === 0 ? wide : `give the group ${path} its CPUs ${listText(asked)} again`,
        details: [`cpuset.cpus ${shown(asked)} → ${shown(after)}`],
        subjects: [`cpuset.cpus of ${path}`],
        purpose: 'systemd did not make it',
      },
    ];
  });
}

/** A payload slice is started, so that its CPUs can be proved. */
export function startSteps(facts: CpuFacts, { units }: Wanted): readonly Step[] {
  const active = new Set(facts.units.flatMap(({ name, activeState }) => (activeState === 'active' ? [name] : [])));
  return units
    .filter(({ unit, role }) => role === 'payload' && !active.has(unit))
    .map(({ unit }) => ({
      kind: 'action',
      action: 'cpus.start',
      parameters: { unit },
      does: `start ${unit}`,
      doesBack: `stop ${unit} if nothing runs in it`,
      subjects: [unit],
      purpose: 'so that its CPUs can be proved',
    }));
}
