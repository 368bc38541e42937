import { quote, SlicectlError } from '../core/errors.ts';
import { assertNoneInterrupted } from './apply.ts';
import { type Conflict, changedSince } from './conflict.ts';
import {
  type ChangeContext,
  type ChangeResult,
  goBack,
  goForward,
  hintBack,
  planBack,
  startOf,
  type WayBack,
} from './engine.ts';
import { readState, sameState } from './file-step.ts';
import { checkFiles, conflictsOf, probeFiles } from './files.ts';
import {
  assertNobodyAtIt,
  type ChangeRecord,
  interrupted,
  Journal,
  listChanges,
  lockStore,
  readChange,
} from './journal.ts';
import type { FileStep, Plan, Step } from './plan.ts';

export interface UndoOptions {
  /** Leaves files and settings that somebody changed since as they are and takes the rest back, instead of refusing. */
  readonly keepChanged?: boolean;
}

/** What an undo would do, and which files are in its way; these are not among its steps. */
export interface UndoPreview {
  readonly id: string;
  readonly plan: Plan;
  readonly conflicts: readonly Conflict[];
}

/**
 * Takes a change back: the named one, else the one that was interrupted, else the last that is applied; also days later
 * and after a reboot.
 *
 * `E_HISTORY` where there is none, or a later change touched the same things; `E_CHANGED` with all three versions in
 * `data.conflicts` when somebody changed a file since; `E_FILE`, `E_PRIVILEGE`, `E_LOCKED`, all with nothing changed.
 * `E_STEP` when a file or an action could not be brought back. What else failed is in `problems`.
 */
export async function undo(
  id: string | undefined,
  context: ChangeContext,
  { keepChanged = false }: UndoOptions = {},
): Promise<ChangeResult> {
  return underLock(context, `undo ${id ?? ''}`.trim(), async () => {
    const change = chooseUndo(context, id, true);
    const files = begunFiles(change);
    const conflicts = conflictsOf(context.tree, files);
    if (conflicts.length > 0 && !keepChanged) throw changedSince(conflicts, change.id);
    probeFiles(context, files);
    return withJournal(context, change, async (journal) => {
      journal.append({ event: 'started', what: 'undo' });
      const final = change.progress.failure === undefined ? ('undone' as const) : ('failed-and-undone' as const);
      const way = { ...wayOf(change), final, keepChanged };
      const { isBack, hasChanged, problems } = await goBack(context, journal, way);
      if (!isBack) throw notBack(change.id, hasChanged, problems);
      return { id: change.id, state: final, problems };
    });
  });
}

/** What {@link undo} would do now, without lock and change. Its errors of choice are those of {@link undo}. */
export async function previewUndo(
  id: string | undefined,
  context: ChangeContext,
  { keepChanged = false }: UndoOptions = {},
): Promise<UndoPreview> {
  const change = chooseUndo(context, id, false);
  const { plan } = change;
  const way = await planBack(context, { ...wayOf(change), keepChanged });
  const conflicts = conflictsOf(context.tree, begunFiles(change));
  const foreign = new Set(conflicts.map(({ path }) => path));
  const isLeft = (step: Step): boolean =>
    step.kind !== 'file' || (!foreign.has(step.path) && !sameState(readState(context.tree, step.target), step.after));
  const steps = way.map(({ step }) => step).filter(isLeft);
  const title = `undo ${change.id}: ${plan.title}`;
  return { id: change.id, plan: { title, root: context.tree.root, steps, refusals: [], notes: [] }, conflicts };
}

/**
 * Finishes a change that was interrupted; the undoing of a change, where that was. `E_HISTORY` where none was interrupted,
 * `E_CHANGED` when somebody changed a file since, `E_STEP` when a step fails, as for apply.
 */
export async function resume(id: string | undefined, context: ChangeContext): Promise<ChangeResult> {
  const isUndoing = await underLock(context, `resume ${id ?? ''}`.trim(), async () => {
    const change = chooseResume(context, id, true);
    if (change.progress.isUndoing) return change.id;
    const { plan, progress } = change;
    const conflicts = conflictsOf(context.tree, begunFiles(change));
    if (conflicts.length > 0) throw changedSince(conflicts, change.id);
    checkFiles(context, notBegun(change));
    return withJournal(context, change, async (journal): Promise<ChangeResult> => {
      journal.append({ event: 'started', what: 'resume' });
      return goForward(context, journal, plan.steps, progress);
    });
  });
  return typeof isUndoing === 'string' ? undo(isUndoing, context) : isUndoing;
}

/** What {@link resume} would do now. */
export async function previewResume(id: string | undefined, context: ChangeContext): Promise<UndoPreview> {
  const change = chooseResume(context, id, false);
  const { plan, progress } = change;
  if (progress.isUndoing) return previewUndo(change.id, context);
  const steps = plan.steps.filter((_, number) => !progress.done.has(number));
  const conflicts = conflictsOf(context.tree, begunFiles(change));
  const title = `resume ${change.id}: ${plan.title}`;
  return { id: change.id, plan: { ...plan, title, root: context.tree.root, steps }, conflicts };
}

function wayOf({ plan, progress, state }: ChangeRecord): Pick<WayBack, 'steps' | 'begun' | 'startedMs' | 'wasApplied'> {
  return {
    steps: plan.steps,
    begun: progress.begun,
    startedMs: startOf(progress),
    wasApplied: state === 'applied',
  };
}

function chooseUndo(context: ChangeContext, id: string | undefined, isHolder: boolean): ChangeRecord {
  if (!isHolder) assertNobodyAtIt(context.store);
  const broken = interrupted(context.store, isHolder);
  if (broken !== undefined && (id === undefined || id === broken.id)) return broken;
  if (broken !== undefined && isHolder) assertNoneInterrupted(context);
  const change = id === undefined ? lastApplied(context) : readChange(context.store, id);
  if (change.state !== 'applied') {
    throw new SlicectlError('E_HISTORY', `change ${change.id} is ${change.state}, so there is nothing to take back`);
  }
  assertNoLater(context, change);
  return change;
}

function chooseResume({ store }: ChangeContext, id: string | undefined, isHolder: boolean): ChangeRecord {
  if (!isHolder) assertNobodyAtIt(store);
  const broken = interrupted(store, isHolder);
  if (broken !== undefined && (id === undefined || id === broken.id)) return broken;
  const state = id === undefined ? undefined : readChange(store, id).state;
  throw new SlicectlError(
    'E_HISTORY',
    state === undefined ? 'no change was interrupted' : `change ${quote(id ?? '')} was not interrupted: it is ${state}`,
    { hint: 'slicectl history lists all changes' },
  );
}

/** `E_HISTORY` also where a record after it cannot be read: that may be the one that is meant. */
function lastApplied({ store }: ChangeContext): ChangeRecord {
  const found = listChanges(store).findLast((change) => !('plan' in change) || change.state === 'applied');
  if (found === undefined) throw new SlicectlError('E_HISTORY', 'there is no change that could be taken back');
  if ('plan' in found) return found;
  const { message, hint = 'slicectl history lists all changes; name the one that is meant' } = found.problem;
  throw new SlicectlError('E_HISTORY', `the last change cannot be read: ${message}`, { hint, data: { id: found.id } });
}

function readable(store: ChangeContext['store']): readonly ChangeRecord[] {
  return listChanges(store).filter((change): change is ChangeRecord => 'plan' in change);
}

/** A change under a later one cannot be pulled away. */
function assertNoLater({ store }: ChangeContext, change: ChangeRecord): void {
  const own = new Set(change.plan.steps.flatMap(subjectOf));
  const changes = readable(store);
  const later = changes.slice(changes.findIndex(({ id }) => id === change.id) + 1);
  for (const { id, plan } of later.filter(({ state }) => state === 'applied').toReversed()) {
    const shared = plan.steps.flatMap(subjectOf).find((subject) => own.has(subject));
    if (shared === undefined) continue;
    throw new SlicectlError('E_HISTORY', `the later change ${id} (${plan.title}) also changed ${shared}`, {
      hint: `take that back first: slicectl undo ${id}`,
      data: { id: change.id, later: id },
    });
  }
}

function subjectOf(step: Step): string[] {
  if (step.kind === 'file') return [step.target];
  return step.kind === 'action' ? [...step.subjects] : [];
}

function begunFiles({ plan, progress }: ChangeRecord): readonly (FileStep & Step)[] {
  return plan.steps.filter(
    (step, number): step is FileStep & Step => step.kind === 'file' && progress.begun.has(number),
  );
}

/** Files that no begun step writes. */
function notBegun(change: ChangeRecord): readonly Step[] {
  const begun = new Set(begunFiles(change).map(({ target }) => target));
  return change.plan.steps.filter((step) => step.kind === 'file' && !begun.has(step.target));
}

async function underLock<T>(context: ChangeContext, title: string, work: () => Promise<T>): Promise<T> {
  const lock = lockStore(context.store, title);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

async function withJournal<T>(
  { store }: ChangeContext,
  { id }: ChangeRecord,
  work: (journal: Journal) => Promise<T>,
): Promise<T> {
  const journal = Journal.open(store, id);
  try {
    return await work(journal);
  } finally {
    journal.close();
  }
}

function notBack(id: string, hasChanged: boolean, problems: readonly string[]): SlicectlError {
  return new SlicectlError('E_STEP', `change ${id} could not be taken back: ${problems.join('; ')}`, {
    hint: hintBack(id, hasChanged),
    data: { id, undone: false, remains: problems },
  });
}
