import { posix } from 'node:path';
import type { PresentFile } from '../../change/plan.ts';
import { DISK } from '../../host/disk.ts';
import { makeFolders, missingFolders } from '../../host/made-folders.ts';
import { forget, putBack } from '../../host/replace-file.ts';
import type { RootTree } from '../../host/root-tree.ts';

export const ROOT = 0;

/** Writes a file of slicectl's in /run, folders and all, or removes it with null. May be repeated. */
export function putRunFile(tree: RootTree, path: string, text: string | null): void {
  const place = { tree, target: tree.follow(path), tag: 'before', uid: ROOT, disk: DISK };
  if (text === null && tree.kind(path) === 'absent') {
    forget(place);
    return;
  }
  const owner = tree.ownerOf(posix.dirname(place.target));
  const file: PresentFile = { exists: true, bytes: Buffer.from(text ?? ''), mode: 0o644, ...owner };
  if (text !== null) makeFolders(tree, missingFolders(tree, place.target), ROOT, DISK);
  putBack(place, text === null ? undefined : file);
}
