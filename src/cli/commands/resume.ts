import { resume as finish, previewResume } from '../../change/undo.ts';
import { preview, type UndoOptions } from './undo.ts';

/** `slicectl resume [ID]`: finishes what was interrupted. */
export async function resume(id: string | undefined, options: UndoOptions): Promise<number> {
  return preview(id, options, previewResume, finish);
}
