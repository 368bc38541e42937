import type { Plan, PlanNote, Step } from '../../change/plan.ts';
import { type IndexSet, intersection, printIndexSet, without } from '../../core/cpuset.ts';
import type { CureParameters, UnleakParameters } from '../hold/parameters.ts';
import type { Wanted } from '../model.ts';
import { groupsToNote } from '../shares.ts';
import { type StepGround, stepsTo } from '../steps.ts';
import { wantedFor } from '../want.ts';
import { forgetWhileUnit, whileUnitSteps } from '../while-unit.ts';
import type { AuditReport } from './audit.ts';
import type { Ghosts } from './ghosts.ts';
import { leakedIn } from './partitions.ts';
import { isLeftOver, isUnwatched } from './while-units.ts';

/**
 * What brings the host back to its reservations, without those whose unit has ended, gives leaked CPUs back, and tasks that
 * were left narrow their group's CPUs. Nothing is read anew.
 */
export function planFix(report: AuditReport, ground: StepGround): Plan {
  const { facts, ghosts, findings, whileUnits } = report;
  const over = whileUnits.filter(isLeftOver).map(({ record }) => record);
  const { tree } = ground;
  // A group that came since is noted, too, so that it is confined from the next boot on.
  const records = facts.records
    .filter((record) => !over.includes(record))
    .map((record) => (record.runtime ? record : { ...record, groups: groupsToNote(facts, record.groups) }));
  const wanted = wantedFor(facts, records);
  // No unit can be proved to have what nobody has, so system CPUs come first; payload CPUs a partition may take over itself.
  const leaked = leakedIn(facts);
  const sure = ghosts.filter(({ isSure }) => isSure);
  const units = [...new Set(sure.map(({ unit }) => unit))];
  const cures = units.map((unit) =>
    cureStep(
      unit,
      sure.filter((one) => one.unit === unit),
      printIndexSet(wanted.open),
    ),
  );
  return {
    title: 'bring the host back to its CPU reservations',
    root: tree.root,
    steps: [
      ...whileUnits
        .filter(isUnwatched)
        .flatMap(({ record }) => whileUnitSteps(tree, record, facts.boot.program, false)),
      ...unleakSteps(intersection(leaked, wanted.system), wanted),
      ...stepsTo(facts, wanted, ground),
      ...over.flatMap((record) => forgetWhileUnit(tree, record)),
      ...unleakSteps(without(leaked, wanted.system), wanted),
      ...cures,
      ...(cures.length > 0 ? [RELOAD] : []),
    ],
    refusals: [],
    notes: leftToDo(findings),
  };
}

const RELOAD: Step = { kind: 'reload', manager: 'system', purpose: 'systemd forgets the sets that cured them' };

function unleakSteps(leaked: IndexSet, { open }: Pick<Wanted, 'open'>): readonly Step[] {
  if (leaked.length === 0) return [];
  const parameters: UnleakParameters = { cpus: printIndexSet(leaked), all: printIndexSet(open) };
  return [
    {
      kind: 'action',
      action: 'cpus.unleak',
      parameters: { ...parameters },
      does: `give CPUs ${parameters.cpus}, which the kernel keeps to nobody, back to all`,
      doesBack: 'leave them to all',
      subjects: ['leaked CPUs'],
      purpose: 'no CPU is lost to everybody',
    },
    RELOAD,
  ];
}

function cureStep(unit: string, ghosts: readonly Ghosts[], all: string): Step {
  const parameters: CureParameters = { unit, all };
  const threads = ghosts.reduce((sum, { tasks }) => sum + tasks.length, 0);
  return {
    kind: 'action',
    action: 'cpus.cure',
    parameters: { ...parameters },
    does: `widen ${threads} threads of ${unit} that were left narrow`,
    doesBack: `leave the threads of ${unit} wide`,
    details: ghosts.map(({ mask, open }) => `masks ${printIndexSet(mask)} → ${printIndexSet(open)}`),
    subjects: [`masks of ${unit}`],
    purpose: 'no thread keeps the mask of a set that is gone',
  };
}

/** What stays wrong, and is for a person to mend. */
function leftToDo(findings: AuditReport['findings']): readonly PlanNote[] {
  const left = findings.filter(
    ({ severity, isFixable }) => (severity === 'breach' || severity === 'drift') && !isFixable,
  );
  if (left.length === 0) return [];
  return [
    {
      severity: 'warning',
      text: 'not done by this, and for you to mend:',
      items: left.map(({ subject, what, cure }) => `${subject}: ${what}${cure && `; ${cure}`}`),
    },
  ];
}
