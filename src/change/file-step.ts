import { posix } from 'node:path';
import { badInput, quote } from '../core/errors.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { FileState, FileStep, Step } from './plan.ts';

const NEW_FILE_MODE = 0o644;

/**
 * The step that makes a file what it should be: one element, or none where it is so already, so that a plan made twice
 * plans nothing the second time. Reads the file now; links are followed, and the step writes where they lead.
 *
 * Given bytes, a file that exists keeps owner and mode, and a new one gets 0644 and the owner of the folder it comes
 * into (root in /etc, the user in a home). `E_FILE` for what cannot be read or is no regular file.
 */
export function fileStep(
  tree: RootTree,
  path: string,
  after: FileState | Uint8Array,
  purpose: string,
): readonly (Step & FileStep)[] {
  if (!path.startsWith('/')) throw badInput(`${quote(path)} is not an absolute path`);
  const target = tree.follow(path);
  const before = readState(tree, path);
  const wanted = 'exists' in after ? copyOf(after) : withOwner(tree, target, before, after);
  if (sameState(before, wanted)) return [];
  return [{ kind: 'file', path, target, before, after: wanted, purpose }];
}

/**
 * The step that removes a file, or none where there is none. Where a link leads to it, the link stays. `folders`, topmost
 * first, are there for such files alone, and go when they are empty.
 */
export function removeFileStep(
  tree: RootTree,
  path: string,
  purpose: string,
  folders: readonly string[] = [],
): readonly (Step & FileStep)[] {
  return fileStep(tree, path, { exists: false }, purpose).map((step) =>
    folders.length === 0 ? step : { ...step, folders },
  );
}

/** What lies at a path now, links followed. */
export function readState(tree: RootTree, path: string): FileState {
  const found = tree.read(path);
  if (found === undefined) return { exists: false };
  const { bytes, mode, uid, gid } = found;
  return { exists: true, bytes: new Uint8Array(bytes), mode, uid, gid };
}

/** Whether both are absent, or alike in content, mode and owner. */
export function sameState(a: FileState, b: FileState): boolean {
  if (!a.exists || !b.exists) return a.exists === b.exists;
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && Buffer.compare(a.bytes, b.bytes) === 0;
}

// A step outlives the buffers of its maker.
function copyOf(state: FileState): FileState {
  return state.exists ? { ...state, bytes: new Uint8Array(state.bytes) } : state;
}

function withOwner(tree: RootTree, target: string, before: FileState, bytes: Uint8Array): FileState {
  const owner = before.exists ? before : { mode: NEW_FILE_MODE, ...tree.ownerOf(posix.dirname(target)) };
  return { exists: true, bytes: new Uint8Array(bytes), mode: owner.mode, uid: owner.uid, gid: owner.gid };
}
