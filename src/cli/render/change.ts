import { styleText } from 'node:util';
import { describeStep } from '../../change/describe.ts';
import type { FileState, FileStep, Plan, PlanNote, Refusal, Step } from '../../change/plan.ts';
import { diffLines, diffText, modeWords, octal } from './change-diff.ts';
import { visible } from './visible.ts';

export interface ChangeStyle {
  /** Whether the text is for a terminal that shows colours. */
  readonly colour: boolean;
}

/** A plan for people: notes, numbered steps with the diff of each file, refusals. */
export function planText(plan: Plan, style: ChangeStyle): string {
  const where = plan.root === '/' ? '' : ` (below ${plan.root})`;
  const blocks = [
    [paint('bold', visible(plan.title + where), style)],
    ...(plan.notes.length === 0 ? [] : [plan.notes.flatMap((note) => noteLines(note, style))]),
    ...(plan.steps.length === 0 && plan.refusals.length > 0 ? [] : [stepsLines(plan.steps, style)]),
    ...(plan.refusals.length === 0 ? [] : [plan.refusals.map((refusal) => refusalLine(refusal, style))]),
  ];
  return blocks.map((lines) => lines.map((line) => `${line}\n`).join('')).join('\n');
}

/** A step in one line: what it does, and what for. */
export function stepLine(step: Step): string {
  const link = step.kind === 'file' && step.target !== step.path ? ` (a link to ${step.target})` : '';
  const purpose = step.kind === 'check' ? '' : `: ${step.purpose}`;
  return visible(`${describeStep(step)}${link}${purpose}`);
}

/** One shape for every plan, `version` counts its changes. */
export interface PlanJson {
  readonly version: 1;
  readonly title: string;
  readonly root: string;
  readonly steps: readonly StepJson[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

/**
 * A step as in a plan, with what it does in words. Of a file's content only the difference is given, since the rest may
 * hold secrets: `diff` is a unified diff, of the bytes as Latin-1 where they are not UTF-8.
 */
export type StepJson = Readonly<Record<string, unknown>> & { readonly kind: Step['kind']; readonly does: string };

/** A plan as plain data for `--json`. */
export function planJson(plan: Plan): PlanJson {
  const { title, root, steps, refusals, notes } = plan;
  return { version: 1, title, root, steps: steps.map(stepJson), refusals, notes };
}

export function stepJson(step: Step): StepJson {
  const does = describeStep(step);
  if (step.kind !== 'file') return { does, ...step };
  const { kind, path, target, before, after, purpose } = step;
  const states = { before: stateJson(before), after: stateJson(after) };
  return { does, kind, path, target, purpose, ...states, diff: diffText(before, after) };
}

function stateJson(state: FileState): Readonly<Record<string, unknown>> {
  if (!state.exists) return { exists: false };
  const { bytes, mode, uid, gid } = state;
  return { exists: true, size: bytes.length, mode: octal(mode), uid, gid };
}

function stepsLines(steps: readonly Step[], style: ChangeStyle): string[] {
  if (steps.length === 0) return ['nothing to do'];
  return steps.flatMap((step, at) => [`${String(at + 1).padStart(2)} ${stepLine(step)}`, ...detailLines(step, style)]);
}

/** What a step changes, for people. */
export function detailLines(step: Step, style: ChangeStyle): string[] {
  if (step.kind === 'file') return fileLines(step, style);
  if (step.kind === 'action') return (step.details ?? []).map((line) => `     ${visible(line)}`);
  if (step.kind !== 'unit' || !step.reset || step.reset.length === 0) return [];
  return [`     after resetting the failed state and start limit of ${visible(step.reset.join(' and '))}`];
}

function fileLines({ before, after }: FileStep, { colour }: ChangeStyle): string[] {
  const words = modeWords(before, after);
  return [...diffLines(before, after, colour), ...(words === '' ? [] : [`     ${words}`])];
}

const NOTE_COLOURS = { impact: 'yellow', warning: 'yellow', info: 'dim' } as const;

function noteLines({ severity, text, items = [] }: PlanNote, style: ChangeStyle): string[] {
  const word = paint(NOTE_COLOURS[severity], `${severity === 'info' ? 'note' : severity}:`, style);
  return [`${word} ${visible(text)}`, ...items.map((item) => `  ${visible(item)}`)];
}

function refusalLine({ reason, hint, override }: Refusal, style: ChangeStyle): string {
  const way = [...(hint === undefined ? [] : [hint]), ...(override === undefined ? [] : [`${override} allows it`])];
  return `${paint('red', 'refused:', style)} ${visible([reason, ...way].join('; '))}`;
}

function paint(colour: 'bold' | 'red' | 'yellow' | 'dim', text: string, style: ChangeStyle): string {
  return style.colour ? styleText(colour, text) : text;
}
