import process from 'node:process';
import { isatty } from 'node:tty';
import { changedSince } from '../../change/conflict.ts';
import type { ChangeContext, ChangeResult } from '../../change/engine.ts';
import { previewUndo, undo as takeBack, type UndoPreview } from '../../change/undo.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import { readSelf } from '../../host/self.ts';
import { tell } from '../output.ts';
import { conflictText } from '../render/change-diff.ts';
import { type CarryOutOptions, contextOf, cpuMeans, proceed } from './change.ts';

export interface UndoOptions extends CarryOutOptions {
  readonly root?: string;
  /** Leaves files that somebody changed since as they are. */
  readonly keepChanged?: boolean;
}

/** `slicectl undo [ID]`: the last change, the interrupted one, or the named one. */
export async function undo(id: string | undefined, options: UndoOptions): Promise<number> {
  const { keepChanged = false } = options;
  return preview(
    id,
    options,
    (named, context) => previewUndo(named, context, { keepChanged }),
    (found, context) => takeBack(found, context, { keepChanged }),
  );
}

/** What undo and resume have in common: what would be done, what is in its way, and then to do it. */
export async function preview(
  id: string | undefined,
  options: UndoOptions,
  look: (id: string | undefined, context: ChangeContext) => Promise<UndoPreview>,
  act: (id: string, context: ChangeContext) => Promise<ChangeResult>,
): Promise<number> {
  const host = await openHost({ root: options.root, self: readSelf() });
  try {
    const { impactOfJobs } = await import('../../drivers/impact.ts');
    const context = contextOf(host, await cpuMeans(host));
    const found = await look(id, context);
    for (const conflict of found.conflicts) tell(conflictText(conflict, isatty(2) && !process.env.NO_COLOR));
    if (found.conflicts.length > 0 && !options.keepChanged) throw changedSince(found.conflicts, found.id);
    // A change that goes on has the notes of its beginning.
    const notes = found.plan.notes.length > 0 ? found.plan.notes : await impactOfJobs(host, found.plan.steps);
    return await proceed({ ...found.plan, notes }, options, 'do this?', (attended) =>
      act(found.id, { ...context, ...attended }),
    );
  } finally {
    closeHost(host);
  }
}
