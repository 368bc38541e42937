import { closeSync, constants, lstatSync, mkdirSync, openSync, rmdirSync, writeSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import { readIfThere } from './files.ts';
import { foldersIn } from './tree.ts';

/** S_ISVTX of inode(7), which Node does not name. */
const STICKY = 0o1000;

/**
 * Writes one text to a control file in one write(2), as the kernel wants it (cgroup-v2.rst, "Interface Files"). The
 * file is never created and a symlink never followed, so that nothing outside of a cgroup tree can be hit.
 */
export function writeControl(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes a group; false where a folder of that name is there already. Anything else of that name is an error. One that
 * several jobs share carries the sticky bit, which cgroup file systems keep and give no meaning: so whoever finds it
 * empty knows that slicectl made it, and an administrator's own folders stay.
 */
export function makeGroup(path: string, shared: boolean): boolean {
  for (;;) {
    try {
      mkdirSync(path, { mode: shared ? 0o755 | STICKY : 0o755 });
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isDirectory()) return false;
      // Nothing there: it was removed in between.
      if (found) throw error;
    }
  }
}

/** Removes one group; false while processes or other groups are in it. One that is not there counts as removed. */
export function removeGroup(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

/** Removes a group that {@link makeGroup} made to be shared, once nothing is in it; false for any other. */
export function removeShared(path: string): boolean {
  const mode = lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & STICKY) !== 0 && removeGroup(path);
}

/** Removes a group with the groups below it, deepest first; false where one of them is in use. */
export function removeGroups(path: string): boolean {
  const below = foldersIn(path).map((name) => removeGroups(`${path}/${name}`));
  return below.every(Boolean) && removeGroup(path);
}

/** Whether a folder is there; a symlink to one is none. */
export function isGroup(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The group and all groups below it, the group itself first. */
export function groupTree(path: string): readonly string[] {
  return [path, ...foldersIn(path).flatMap((name) => groupTree(`${path}/${name}`))];
}

/**
 * Pids in one group. A process outside of our pid namespace shows as 0 (cgroup-v2.rst, "Namespace"): it is kept, since
 * the group is not empty, and must never reach kill(2), where 0 means our own process group.
 */
export function pidsIn(path: string): readonly number[] {
  const content = readIfThere(`${path}/cgroup.procs`) ?? '';
  return [...new Set(content.split('\n').filter((line) => line !== ''))].map(Number);
}
