import { lstatSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { quote, SlicectlError } from '../core/errors.ts';
import type { RootTree } from './root-tree.ts';

const STICKY = 0o1000;

/**
 * Refuses a path that leads through a link which somebody else could have put there, to have another file overwritten:
 * one in a folder that others than root, the caller and the tree's owner can write. `E_FILE`.
 */
export function assertSafeLinks(tree: RootTree, path: string, uid: number): void {
  const trusted = new Set([0, uid, lstatSync(tree.root).uid]);
  for (const link of tree.linksOn(path)) {
    const folder = lstatSync(tree.onHost(posix.dirname(link)));
    if (isPrivate(folder, trusted, uid)) continue;
    // As fs.protected_symlinks has it (Documentation/admin-guide/sysctl/fs.rst): in a sticky folder the owner counts.
    if ((folder.mode & STICKY) !== 0 && trusted.has(lstatSync(tree.onHost(link)).uid)) continue;
    throw new SlicectlError(
      'E_FILE',
      `${quote(path)} leads through the link ${quote(link)}, which lies in a folder that others can write`,
      { hint: 'put a file in the place of the link, or take the right to write from the others', data: { path, link } },
    );
  }
}

// A user's own group may write the folders of a user (umask 002), which harms nobody else.
function isPrivate({ mode, uid: owner, gid }: Stats, trusted: ReadonlySet<number>, uid: number): boolean {
  const isOpenToGroup = (mode & 0o020) !== 0 && uid === 0 && gid !== 0;
  return trusted.has(owner) && (mode & 0o002) === 0 && !isOpenToGroup;
}
