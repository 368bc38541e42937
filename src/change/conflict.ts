import { quote, SlicectlError } from '../core/errors.ts';
import type { FileState } from './plan.ts';

/** A file that is neither as a change found it nor as the change left it. */
export interface Conflict {
  readonly path: string;
  readonly before: FileState;
  /** What the change wrote; absent where nothing was written yet. */
  readonly ours?: FileState;
  readonly now: FileState;
}

/** `E_CHANGED` for a plan that no longer fits: `data.conflicts` has what it was made for and what is there. */
export function planIsOld(conflicts: readonly Conflict[]): SlicectlError {
  const files = pathsOf(conflicts);
  return new SlicectlError('E_CHANGED', `${files} changed after the plan was made; nothing was written`, {
    hint: 'make the plan again',
    data: { conflicts },
  });
}

/** `E_CHANGED` for a way back that would overwrite somebody's work. `data.conflicts` has all three versions. */
export function changedSince(conflicts: readonly Conflict[], id: string): SlicectlError {
  const files = pathsOf(conflicts);
  return new SlicectlError(
    'E_CHANGED',
    `${files} was changed by somebody since change ${id}; nothing was overwritten`,
    {
      hint: `bring it to what the change left, or keep it and take back the rest with slicectl undo ${id} --keep-changed`,
      data: { id, conflicts },
    },
  );
}

function pathsOf(conflicts: readonly Conflict[]): string {
  return conflicts.map(({ path }) => quote(path)).join(' and ');
}
