import { type Owner, ownerOf } from '../core/job-id.ts';
import { removeGroups, removeShared } from '../host/control-writes.ts';
import type { HostPaths } from '../host/paths.ts';
import { mayBeAlive } from '../host/process.ts';
import { foldersIn, processesBelow } from '../host/tree.ts';
import { attempt } from './refusal.ts';
import { folderBelow, type Root } from './tree.ts';

/**
 * Who made a group: its own name says so, or, where the user chose the name, an empty group directly in it. The mark
 * lies inside, since so it goes with the group and can never speak of another one that got the name later.
 */
export function makerOf(folder: string): Owner | undefined {
  const name = folder.slice(folder.lastIndexOf('/') + 1);
  const mark = foldersIn(folder).find(isMark);
  return ownerOf(name) ?? (mark === undefined ? undefined : ownerOf(mark));
}

/** A mark has no suffix; a group that a nested slicectl made for a job of its own has one. */
function isMark(name: string): boolean {
  return !name.includes('.') && ownerOf(name) !== undefined;
}

/** Whether the group is what a maker that is gone left behind: no process in it or below it. */
export function isLeftover(paths: HostPaths, folder: string, self: Owner): boolean {
  const maker = makerOf(folder);
  return maker !== undefined && !mayBeAlive(paths, maker, self) && processesBelow(folder).length === 0;
}

/**
 * Removes the empty groups of dead makers below the base and below the slice folders in it, then the slice
 * folders that slicectl made and that are empty; the names of what went.
 * On v1 a job is a leftover when none of its groups has a process, whichever hierarchy it is in.
 */
export function sweep(paths: HostPaths, roots: readonly Root[], self: Owner): readonly string[] {
  const found = roots.flatMap((root) => leftovers(paths, root, [], self).map((path) => path.join('/')));
  const gone: string[] = [];
  for (const job of new Set(found)) {
    const folders = roots.map((root) => folderBelow(root, job.split('/')));
    if (folders.some((folder) => processesBelow(folder).length > 0)) continue;
    const ours = folders.filter((folder) => isLeftover(paths, folder, self));
    const removed = ours.map((path) => attempt({ what: 'remove', path }, () => removeGroups(path)));
    if (removed.every(Boolean)) gone.push(job.slice(job.lastIndexOf('/') + 1));
  }
  return [...new Set([...gone, ...roots.flatMap((root) => emptySlices(root, []))])];
}

function leftovers(paths: HostPaths, root: Root, above: readonly string[], self: Owner): string[][] {
  return foldersIn(folderBelow(root, above)).flatMap((name) => {
    const path = [...above, name];
    if (name.endsWith('.slice') && ownerOf(name) === undefined) return leftovers(paths, root, path, self);
    return isLeftover(paths, folderBelow(root, path), self) ? [path] : [];
  });
}

/** Removes the slice folders that slicectl made and that nothing is in, inner ones first. */
function emptySlices(root: Root, above: readonly string[]): string[] {
  const slices = foldersIn(folderBelow(root, above)).filter((name) => name.endsWith('.slice'));
  return slices.flatMap((name) => {
    const below = emptySlices(root, [...above, name]);
    const path = folderBelow(root, [...above, name]);
    return attempt({ what: 'remove', path }, () => removeShared(path)) ? [...below, name] : below;
  });
}
