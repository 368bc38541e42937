import { SlicectlError } from '../core/errors.ts';
import { describeStep } from './describe.ts';
import { conflictsOf, tidyFile } from './files.ts';
import { invert, isRunning, isState, type UndoStep } from './invert.ts';
import type { Journal, Store } from './journal.ts';
import type { FileStep, Step } from './plan.ts';
import type { FinalState, Progress, StepFacts } from './progress.ts';
import { carryBack, carryOut, factsOf, type Hands } from './steps.ts';

/** What a change works with. */
export interface ChangeContext extends Hands {
  readonly store: Store;
  /** Told before and after each step. What it throws is ignored: a terminal that went away must not stop a change half way. */
  readonly onProgress?: (event: StepEvent) => void;
  /** Ends the change before its next step; what was done is taken back. A reason that is a `SlicectlError` is the message. */
  readonly signal?: AbortSignal;
}

/** One step as it happens. */
export interface StepEvent {
  readonly what: 'begin' | 'done' | 'failed';
  readonly direction: 'forward' | 'back';
  readonly step: Step;
  /** From 1. */
  readonly number: number;
  readonly total: number;
  /** Why it failed. */
  readonly reason?: string;
}

/** How a change stands after apply, undo or resume. */
export interface ChangeResult {
  /** Absent where there was nothing to do. */
  readonly id?: string;
  readonly state: 'nothing' | FinalState;
  /** What went wrong and did not keep files and actions from being in that state, a sentence each. */
  readonly problems: readonly string[];
}

type Begun = ReadonlyMap<number, StepFacts>;

/**
 * Carries out what is left of a change, from nothing on or after an interruption. The first failure takes back what was
 * done and rejects with `E_STEP`.
 */
export async function goForward(
  context: ChangeContext,
  journal: Journal,
  steps: readonly Step[],
  progress: Progress,
): Promise<ChangeResult> {
  const begun = new Map(progress.begun);
  for (const [number, step] of steps.entries()) {
    if (progress.done.has(number) && !mustBeRepeated(steps, number, progress)) continue;
    const tell = teller(context, 'forward', step, number, steps.length);
    try {
      context.signal?.throwIfAborted();
      tell('begin');
      const facts = begun.get(number) ?? (await factsOf(context, step));
      journal.append({ event: 'begin', step: number, facts });
      begun.set(number, facts);
      const after = await carryOut(context, step, tagOf(journal, number), facts);
      begun.set(number, after);
      journal.append({ event: 'done', step: number, facts: after });
    } catch (error) {
      const cause = asError(error, context.signal);
      tell('failed', cause.message);
      noteDown(() => journal.append({ event: 'failed', step: number, code: cause.code, message: cause.message }));
      const way = { steps, begun, startedMs: startOf(progress), final: 'failed-and-undone' as const };
      throw stepFailed(journal.id, steps, number, cause, await goBack(context, journal, way));
    }
    tell('done');
  }
  for (const [number, step] of steps.entries()) tidy(context, journal, step, number);
  const failure = noteDown(() => journal.append({ event: 'ended', state: 'applied', problems: [] }));
  const problems = failure
    ? [`${failure.message}; all is done, and slicectl resume ${journal.id} writes that down`]
    : [];
  return { id: journal.id, state: 'applied', problems };
}

/** What is to be taken back. */
export interface WayBack {
  readonly steps: readonly Step[];
  readonly begun: Begun;
  /** When the change began, in ms since 1970. */
  readonly startedMs: number;
  /** What the change is when all is back. */
  readonly final: FinalState;
  /** Leaves what somebody changed as it is, and is content with that. */
  readonly keepChanged?: boolean;
  /** The change had come to its end, so that no unit stands still because of it. */
  readonly wasApplied?: boolean;
}

export interface BackResult {
  /** Whether somebody's work was in the way of an action. */
  readonly hasChanged: boolean;
  /** Whether all files and actions are as they were, and the change is over. */
  readonly isBack: boolean;
  readonly problems: readonly string[];
}

/**
 * Takes back what was begun, as far as it can: a step that fails does not keep the others. But where a unit did not start,
 * nothing is checked any more: a check would wait a long time for what does not run, and say the same.
 */
export async function goBack(context: ChangeContext, journal: Journal, way: WayBack): Promise<BackResult> {
  const { steps, begun } = way;
  const problems: string[] = [];
  let isBack = true;
  let hasChanged = false;
  noteDown(() => journal.append({ event: 'undoing' }));
  const todo = await planBack(context, way);
  const foreign = foreignPaths(context, way);
  let isDown = false;
  for (const [at, { of, step }] of todo.entries()) {
    if (isDown && step.kind === 'check') continue;
    const tell = teller(context, 'back', step, at, todo.length);
    tell('begin');
    try {
      if (step.kind === 'file' && foreign.has(step.path)) throw foreignFile(step.path);
      await carryBack(context, step, steps[of], tagOf(journal, of), begun.get(of));
      noteDown(() => journal.append({ event: 'back', step: of }));
      tell('done');
    } catch (error) {
      const { code, message } = asError(error);
      tell('failed', message);
      problems.push(`${describeStep(step)}: ${message}`);
      const isChanged = code === 'E_CHANGED' && step.kind === 'action';
      if (isChanged) hasChanged = true;
      if (isState(step) && !(isChanged && way.keepChanged)) isBack = false;
      if (step.kind === 'unit') isDown = true;
    }
  }
  if (isBack) {
    for (const number of begun.keys()) tidy(context, journal, steps[number], number);
    noteDown(() => journal.append({ event: 'ended', state: way.final, problems }));
  }
  return { isBack, hasChanged, problems };
}

/**
 * The steps of the way back as things are now. None where all that an applied change wrote is somebody's work by now and
 * kept: units would be restarted for nothing.
 */
export async function planBack(hands: Hands, way: Omit<WayBack, 'final'>): Promise<readonly UndoStep[]> {
  const { steps, begun, startedMs, keepChanged = false, wasApplied = false } = way;
  const all = invert(steps, { begun, fresh: await freshSteps(hands, steps, begun, startedMs) });
  if (!keepChanged) return all;
  const foreign = foreignPaths(hands, way);
  const left = all.filter(({ step }) => step.kind !== 'file' || !foreign.has(step.path));
  const isAllKept = wasApplied && foreign.size > 0 && !left.some(({ step }) => isState(step));
  return isAllKept ? [] : left;
}

/** Files of begun steps that somebody changed since. */
function foreignPaths({ tree }: Hands, { steps, begun }: Pick<WayBack, 'steps' | 'begun'>): ReadonlySet<string> {
  const files = steps.filter((step, number): step is FileStep & Step => step.kind === 'file' && begun.has(number));
  return new Set(conflictsOf(tree, files).map(({ path }) => path));
}

/** When a change began, in ms since 1970. */
export function startOf({ lines }: Progress): number {
  return lines[0] === undefined ? Date.now() : Date.parse(lines[0].at);
}

/** Units that were started since the change began, by a boot or by somebody, and have read files that go away now. */
async function freshSteps(
  hands: Hands,
  steps: readonly Step[],
  begun: Begun,
  startedMs: number,
): Promise<ReadonlySet<number>> {
  const fresh = new Set<number>();
  if (!steps.some((step, number) => begun.has(number) && isState(step))) return fresh;
  for (const [number, step] of steps.entries()) {
    if (step.kind !== 'unit' || step.verb === 'stop' || begun.has(number)) continue;
    try {
      const { activeState, activeSinceMs } = await (await hands.manager(step.manager)).state(step.unit);
      if (isRunning(activeState) && activeSinceMs > startedMs) fresh.add(number);
    } catch (error) {
      // Without a manager nothing runs that could have read the files.
      if (!(error instanceof SlicectlError)) throw error;
    }
  }
  return fresh;
}

/**
 * Steps that an interruption may have undone, by a boot: a unit that has to stand still until the change starts it,
 * and actions, which reach into the kernel. And a reload after these: systemd keeps what they set in passing until then.
 */
function mustBeRepeated(steps: readonly Step[], number: number, { done }: Progress): boolean {
  const step = steps[number];
  if (step?.kind === 'action') return true;
  if (step?.kind === 'reload') return steps.some(({ kind }, at) => kind === 'action' && at < number);
  if (step?.kind !== 'unit' || step.verb !== 'stop') return false;
  return steps.some(
    (other, at) =>
      at > number && other.kind === 'unit' && other.unit === step.unit && other.verb === 'start' && !done.has(at),
  );
}

function tidy(context: ChangeContext, journal: Journal, step: Step | undefined, number: number): void {
  if (step?.kind === 'file') tidyFile(context, step, tagOf(journal, number));
}

function tagOf({ id }: Journal, number: number): string {
  return `${id}.${number}`;
}

type Tell = (what: StepEvent['what'], reason?: string) => void;

function teller(
  { onProgress }: ChangeContext,
  direction: StepEvent['direction'],
  step: Step,
  at: number,
  total: number,
): Tell {
  return (what, reason) => {
    try {
      onProgress?.({ what, direction, step, number: at + 1, total, ...(reason !== undefined && { reason }) });
    } catch {
      // Said in ChangeContext.
    }
  };
}

/** Going back goes on also where nothing can be written down: then the next slicectl finds the files as they were. */
function noteDown(work: () => void): SlicectlError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    return error;
  }
}

function asError(error: unknown, signal?: AbortSignal): SlicectlError {
  if (error instanceof SlicectlError) return error;
  if (signal?.aborted) return new SlicectlError('E_ABORTED', 'the caller ended it', { cause: error });
  // A fault in a check or in slicectl: what was done has to be taken back all the same.
  return new SlicectlError('E_STEP', error instanceof Error ? error.message : String(error), { cause: error });
}

function foreignFile(path: string): SlicectlError {
  return new SlicectlError('E_CHANGED', `${path} was changed by somebody meanwhile and is left as it is`);
}

/** What helps where a change could not be taken back. */
export function hintBack(id: string, hasChanged: boolean): string {
  return hasChanged
    ? `bring it to what the change left and undo again, or keep it with slicectl undo ${id} --keep-changed`
    : `find out why, then slicectl undo ${id} again`;
}

function stepFailed(
  id: string,
  steps: readonly Step[],
  number: number,
  cause: SlicectlError,
  { isBack, hasChanged, problems }: BackResult,
): SlicectlError {
  const step = steps[number] as Step;
  const undone = isBack && problems.length === 0;
  const after = undone
    ? 'what was done before it was taken back'
    : `what was done before it could not all be taken back: ${problems.join('; ')}`;
  const hint = isBack ? cause.hint : hintBack(id, hasChanged);
  const place = `step ${number + 1} of ${steps.length}`;
  const what =
    cause.code === 'E_ABORTED'
      ? `${cause.message} before ${place}, ${describeStep(step)}`
      : `${describeStep(step)} (${place}) failed: ${cause.message}`;
  return new SlicectlError('E_STEP', `${what}; ${after}`, {
    ...(hint !== undefined && { hint }),
    data: { id, step: number + 1, failed: describeStep(step), code: cause.code, undone, remains: problems },
    cause,
  });
}
