import type { Plan, PlanNote, Step } from '../../change/plan.ts';
import { printIndexSet } from '../../core/cpuset.ts';
import type { CureParameters } from '../hold/parameters.ts';
import { groupsToNote } from '../shares.ts';
import { type StepGround, stepsTo } from '../steps.ts';
import { wantedFor } from '../want.ts';
import type { AuditReport } from './audit.ts';
import type { Ghosts } from './ghosts.ts';

/** What brings the host back to its reservations, and tasks that were left narrow to their group's CPUs. Nothing is read anew. */
export function planFix(report: AuditReport, ground: StepGround): Plan {
  const { facts, ghosts, findings } = report;
  // A group that came since is noted, too, so that it is confined from the next boot on.
  const records = facts.records.map((record) =>
    record.runtime ? record : { ...record, groups: groupsToNote(facts, record.groups) },
  );
  const wanted = wantedFor(facts, records);
  const sure = ghosts.filter(({ isSure }) => isSure);
  const units = [...new Set(sure.map(({ unit }) => unit))];
  const cures = units.map((unit) =>
    cureStep(
      unit,
      sure.filter((one) => one.unit === unit),
      printIndexSet(wanted.all),
    ),
  );
  const reload: Step = { kind: 'reload', manager: 'system', purpose: 'systemd forgets the sets that cured them' };
  return {
    title: 'bring the host back to its CPU reservations',
    root: ground.tree.root,
    steps: [...stepsTo(facts, wanted, ground), ...cures, ...(cures.length > 0 ? [reload] : [])],
    refusals: [],
    notes: leftToDo(findings),
  };
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
