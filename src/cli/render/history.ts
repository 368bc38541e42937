import type { ChangeRecord, UnreadableChange } from '../../change/journal.ts';
import type { Step } from '../../change/plan.ts';
import { type ChangeStyle, detailLines, stepJson, stepLine } from './change.ts';
import { tableText } from './table.ts';
import { visible } from './visible.ts';

/** All changes, a line each. */
export function historyText(changes: readonly (ChangeRecord | UnreadableChange)[]): string {
  if (changes.length === 0) return 'slicectl has made no lasting change here\n';
  return tableText(
    ['ID', 'MADE', 'STATE', 'CHANGE'],
    changes.map((change) =>
      'plan' in change
        ? [change.id, localTime(change.at), change.state, visible(change.plan.title)]
        : [change.id, '?', 'unreadable', visible(change.problem.message)],
    ),
  );
}

/** One change with its steps, how far each came, and what was written. */
export function changeText(change: ChangeRecord, style: ChangeStyle): string {
  const { id, at, uid, state, plan, progress } = change;
  const { failure, ended } = progress;
  const lines = [
    `change ${id}: ${visible(plan.title)}`,
    `made ${localTime(at)} by uid ${uid}${plan.root === '/' ? '' : ` below ${visible(plan.root)}`}`,
    `${state}${ended === undefined ? '' : ` ${localTime(ended.at)}`}`,
    ...(failure === undefined ? [] : [failureLine(failure)]),
    ...(ended?.problems ?? []).map((problem) => `not taken back: ${visible(problem)}`),
    '',
    ...plan.steps.flatMap((step, number) => [
      `${String(number + 1).padStart(2)} [${markOf(change, number)}] ${stepLine(step)}`,
      ...detailLines(step, style),
    ]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** A change for `--json`; `bytes` is what it takes in the journal. */
export function changeJson(change: ChangeRecord | UnreadableChange, bytes: number): Readonly<Record<string, unknown>> {
  if (!('plan' in change)) return { id: change.id, state: 'unreadable', problem: change.problem.message, bytes };
  const { id, at, uid, state, plan, progress } = change;
  const { failure, ended } = progress;
  return {
    id,
    at,
    uid,
    state,
    title: plan.title,
    root: plan.root,
    bytes,
    ...(ended && { endedAt: ended.at, problems: ended.problems }),
    ...(failure && { failure: { ...failure, step: failure.step + 1 } }),
    steps: plan.steps.map((step: Step, number) => ({ ...stepJson(step), progress: markOf(change, number) })),
  };
}

function failureLine({ step, code, message }: NonNullable<ChangeRecord['progress']['failure']>): string {
  if (code === 'E_ABORTED') return `${visible(message)} before step ${step + 1}`;
  return `step ${step + 1} failed: ${visible(message)}`;
}

function markOf({ progress }: ChangeRecord, number: number): string {
  const isBack = progress.lines.some((line) => line.event === 'back' && line.step === number);
  if (isBack) return 'taken back';
  if (progress.failure?.step === number) return 'failed';
  if (progress.done.has(number)) return 'done';
  return progress.begun.has(number) ? 'begun' : 'not begun';
}

/** As `ls -l --time-style=long-iso` with seconds, in the reader's time zone. */
function localTime(iso: string): string {
  const date = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
