import * as fs from 'node:fs';
import { posix } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import type { Disk } from './disk.ts';
import { writeRefusal } from './file-refusal.ts';
import { PinnedFolder } from './pinned-folder.ts';
import type { RootTree } from './root-tree.ts';

const FOLDER_MODE = 0o755;

/** The folders above a file that are not there, topmost first. `target` has no links in it. */
export function missingFolders(tree: RootTree, target: string): readonly string[] {
  const folder = posix.dirname(target);
  if (folder === '/' || tree.kind(folder) !== 'absent') return [];
  return [...missingFolders(tree, folder), folder];
}

/** Makes folders, 0755 and with the owner of the one above. One that is there already gets that mode, so that it may be repeated. */
export function makeFolders(tree: RootTree, folders: readonly string[], uid: number, disk: Disk): void {
  for (const folder of folders) {
    try {
      PinnedFolder.within(tree, posix.dirname(folder), (above) => makeFolder(above, posix.basename(folder), disk));
    } catch (error) {
      throw writeRefusal(error, tree.onHost(folder), uid);
    }
  }
}

function makeFolder(above: PinnedFolder, name: string, disk: Disk): void {
  const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants;
  try {
    disk.mkdirSync(above.at(name), FOLDER_MODE);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const fd = fs.openSync(above.at(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const own = fs.fstatSync(fd);
    const owner = fs.statSync(above.at('.'));
    if (own.uid !== owner.uid || own.gid !== owner.gid) disk.fchownSync(fd, owner.uid, owner.gid);
    if ((own.mode & 0o777) !== FOLDER_MODE) disk.fchmodSync(fd, FOLDER_MODE);
  } finally {
    fs.closeSync(fd);
  }
  above.sync(disk);
}

/** Removes folders that {@link makeFolders} made, lowest first; one that holds something by now stays. */
export function removeFolders(tree: RootTree, folders: readonly string[], uid: number, disk: Disk): void {
  for (const folder of folders.toReversed()) {
    try {
      PinnedFolder.within(tree, posix.dirname(folder), (above) => {
        disk.rmdirSync(above.at(posix.basename(folder)));
        above.sync(disk);
      });
    } catch (error) {
      if (['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoOf(error) ?? '')) continue;
      throw writeRefusal(error, tree.onHost(folder), uid);
    }
  }
}
