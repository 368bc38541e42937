import { posix } from 'node:path';
import { badInput, quote, SlicectlError } from '../core/errors.ts';
import { describeStep } from './describe.ts';
import { type ChangeContext, type ChangeResult, goForward } from './engine.ts';
import { checkFiles } from './files.ts';
import { interrupted, Journal, listChanges, lockStore, type Store } from './journal.ts';
import type { Plan, Step } from './plan.ts';
import { addUp } from './progress.ts';
import { actionOf, assertAllKnown } from './steps.ts';

/**
 * Carries out a plan as it was printed. All of it is checked before the first write, each step is written down before and
 * after it, and the first failure takes back what was done.
 *
 * `E_REFUSED` for a plan with refusals, `E_LOCKED`, `E_INTERRUPTED` while an earlier change is not over, `E_CHANGED` when
 * a file is not as the plan found it or an action finds something else, `E_FILE` and `E_PRIVILEGE` for what cannot be
 * written, all with nothing changed; `E_STEP` when a step failed: `data.undone` says whether all is as before, `data.remains` what is not.
 */
export async function apply(plan: Plan, context: ChangeContext): Promise<ChangeResult> {
  assertAllowed(plan, context);
  if (plan.steps.length === 0) return { state: 'nothing', problems: [] };
  const lock = lockStore(context.store, plan.title);
  try {
    assertNoneInterrupted(context);
    await assertAsPlanned(context, plan.steps);
    const journal = Journal.create(context.store, plan, new Date());
    try {
      journal.append({ event: 'started', what: 'apply' });
      return await goForward(context, journal, plan.steps, addUp([]));
    } finally {
      journal.close();
    }
  } finally {
    lock.release();
  }
}

/**
 * `E_INTERRUPTED` with both ways out while a change is not over, `E_HISTORY` where one cannot be read and may not be. To be
 * called under the lock.
 */
export function assertNoneInterrupted({ store }: ChangeContext): void {
  const change = interrupted(store, true);
  if (change === undefined) {
    assertAllOver(store);
    return;
  }
  const { id, plan, progress } = change;
  const last = [...progress.begun.keys()].at(-1);
  const step = last === undefined ? undefined : plan.steps[last];
  const where = step === undefined ? 'before its first step' : `at step ${(last ?? 0) + 1}, ${describeStep(step)}`;
  const what = progress.isUndoing ? 'the undoing of the change' : 'the change';
  throw new SlicectlError('E_INTERRUPTED', `${what} ${id} (${plan.title}) was interrupted ${where}`, {
    hint: `take it back with slicectl undo ${id}, or finish it with slicectl resume ${id}`,
    data: { id, ...(step !== undefined && { step: (last ?? 0) + 1, describes: describeStep(step) }) },
  });
}

function assertAllOver(store: Store): void {
  for (const change of listChanges(store)) {
    if ('plan' in change || change.isOver) continue;
    const { message, hint } = change.problem;
    const way = `look at what it did, then move ${posix.join(store.folder, change.id)} away`;
    throw new SlicectlError('E_HISTORY', `nobody knows whether change ${change.id} is over: ${message}`, {
      hint: hint === undefined ? way : `${hint}, or ${way}`,
      data: { id: change.id },
    });
  }
}

function assertAllowed({ refusals, root, steps }: Plan, context: ChangeContext): void {
  const { tree } = context;
  const [first] = refusals;
  if (first !== undefined) {
    const { reason, hint } = first;
    throw new SlicectlError('E_REFUSED', reason, { ...(hint !== undefined && { hint }), data: { refusals } });
  }
  if (root !== tree.root) throw badInput(`the plan is for the tree ${quote(root)}, not for ${quote(tree.root)}`);
  const alive = tree.isHost ? undefined : steps.find(({ kind }) => kind !== 'file');
  if (alive) throw badInput(`nothing runs below ${quote(root)}, so nobody can ${describeStep(alive)} there`);
  assertAllKnown(context, steps);
}

/** Looks at everything that the plan will touch, and asks each manager for its units so that it is known to answer. */
async function assertAsPlanned(context: ChangeContext, steps: readonly Step[]): Promise<void> {
  checkFiles(context, steps);
  for (const step of steps) {
    if (step.kind === 'action') await actionOf(context, step.action).assertAsPlanned(step.parameters);
    if (step.kind === 'unit') await (await context.manager(step.manager)).state(step.unit);
    if (step.kind === 'reload' || step.kind === 'reset-failed') await context.manager(step.manager);
  }
}
