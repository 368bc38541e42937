import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { posix } from 'node:path';
import { errnoOf, quote, SlicectlError } from '../core/errors.ts';
import { type Disk, writeFully } from './disk.ts';
import { writeRefusal } from './file-refusal.ts';
import { PinnedFolder } from './pinned-folder.ts';
import type { RootTree } from './root-tree.ts';

/** A regular file with what is kept of it: permission bits such as 0o644, and its owner. */
export interface FileContent {
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Where a file is replaced, and by whom. */
export interface Place {
  readonly tree: RootTree;
  /** In the tree, links followed. */
  readonly target: string;
  /** Makes the names of what lies beside the file meanwhile: the change and its step. */
  readonly tag: string;
  readonly uid: number;
  readonly disk: Disk;
}

/**
 * Replaces a file in its own folder, so that whoever opens it finds all of the old one or all of the new one, also after a
 * power loss. The old inode stays beside it as `.NAME.slicectl-TAG.old` until {@link forget}. The new one has the old
 * one's xattrs, ACL and security context, and owner and mode of `after`. `undefined` is no file.
 *
 * `E_CHANGED` when the file is not `before`; `E_FILE` or `E_PRIVILEGE` when it cannot be written. What was begun is left
 * beside it for {@link putBack} or {@link forget}.
 */
export function replaceFile(place: Place, before: FileContent | undefined, after: FileContent | undefined): void {
  inFolder(place, (folder, names) => {
    if (after !== undefined) writeTemporary(folder, names, place, after);
    if (before === undefined) claim(folder, names, place);
    else {
      if (after !== undefined) keep(folder, names, place);
      if (!isFile(folder.at(names.own), before)) throw changedMeanwhile(place);
      if (after === undefined) place.disk.renameSync(folder.at(names.own), folder.at(names.kept));
      else place.disk.renameSync(folder.at(names.temporary), folder.at(names.own));
    }
    folder.sync(place.disk);
  });
}

/**
 * Brings a file back to what it was: by the inode that {@link replaceFile} kept, which takes no space on the disk, or
 * where there is none by writing it anew. Leaves nothing beside it. May be repeated.
 */
export function putBack(place: Place, before: FileContent | undefined): void {
  inFolder(place, (folder, names) => {
    const own = folder.at(names.own);
    const kept = folder.at(names.kept);
    if (before === undefined) removeIfThere(place.disk, own);
    else if (isFile(kept, before)) place.disk.renameSync(kept, own);
    else {
      removeIfThere(place.disk, folder.at(names.temporary));
      writeTemporary(folder, names, place, before);
      place.disk.renameSync(folder.at(names.temporary), own);
    }
    folder.sync(place.disk);
  });
  forget(place);
}

/** Removes what {@link replaceFile} left beside the file. No error where there is nothing, not even the folder. */
export function forget(place: Place): void {
  inFolder(
    place,
    (folder, names) => {
      // A rename of a link to another link of the same inode does nothing: then both are still there.
      const removed = [names.temporary, names.kept].filter((name) => removeIfThere(place.disk, folder.at(name)));
      if (removed.length > 0) folder.sync(place.disk);
    },
    'absent-is-fine',
  );
}

/** Finds out without a change whether the file can be replaced, or made. `E_FILE` or `E_PRIVILEGE` says why not. */
export function probe(place: Place, exists: boolean): void {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const folder = closestFolder(place.tree, posix.dirname(place.target));
  explained(place, () =>
    PinnedFolder.within(place.tree, folder, (pinned) => {
      if (exists) fs.closeSync(fs.openSync(pinned.at(namesOf(place).own), O_RDWR | O_NOFOLLOW | O_NONBLOCK));
      fs.lstatSync(pinned.at(namesOf(place).temporary), { throwIfNoEntry: false });
    }),
  );
  explained({ ...place, target: folder }, () =>
    PinnedFolder.within(place.tree, folder, (pinned) => fs.accessSync(pinned.at('.'), fs.constants.W_OK)),
  );
}

interface Names {
  readonly own: string;
  readonly temporary: string;
  readonly kept: string;
}

// A dot in front and a foreign ending: no `*.conf`, `*.json` or `*.d/*` of any program takes them for configuration.
function namesOf({ target, tag }: Place): Names {
  const own = posix.basename(target);
  return { own, temporary: `.${own}.slicectl-${tag}.new`, kept: `.${own}.slicectl-${tag}.old` };
}

function writeTemporary(folder: PinnedFolder, names: Names, { disk }: Place, content: FileContent): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;
  const path = folder.at(names.temporary);
  const fd = disk.openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
  try {
    copyAttributes(folder, names);
    const now = fs.fstatSync(fd);
    if (now.uid !== content.uid || now.gid !== content.gid) disk.fchownSync(fd, content.uid, content.gid);
    if ((now.mode & 0o7777) !== content.mode) disk.fchmodSync(fd, content.mode);
    writeFully(disk, fd, content.bytes, 0);
    disk.fsyncSync(fd);
    if (fs.lstatSync(path).ino !== fs.fstatSync(fd).ino) throw new Error(`${names.temporary} was replaced`);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Xattrs, ACL and security context, which Node cannot copy: by cp(1) of coreutils. Another cp(1) may know nothing of it
 * and fail; then owner and mode are all that is kept. The folder is its descriptor 3.
 */
function copyAttributes(folder: PinnedFolder, { own, temporary }: Names): void {
  if (fs.lstatSync(folder.at(own), { throwIfNoEntry: false }) === undefined) return;
  const options = ['--attributes-only', '--preserve=all', '--no-preserve=timestamps,links', '--no-target-directory'];
  const files = [own, temporary].map((name) => `/proc/self/fd/3/${name}`);
  try {
    execFileSync('cp', [...options, '--', ...files], { stdio: ['ignore', 'ignore', 'ignore', folder.fd] });
  } catch {
    // Nothing was copied.
  }
}

/** Gives the new file its name where there was none; a file that came meanwhile is not overwritten. */
function claim(folder: PinnedFolder, names: Names, place: Place): void {
  const temporary = folder.at(names.temporary);
  const own = folder.at(names.own);
  try {
    place.disk.linkSync(temporary, own);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw changedMeanwhile(place);
    if (!hasNoLinks(error)) throw error;
    if (fs.lstatSync(own, { throwIfNoEntry: false }) !== undefined) throw changedMeanwhile(place);
    place.disk.renameSync(temporary, own);
    return;
  }
  place.disk.unlinkSync(temporary);
}

/** Where the file system has no hard links, going back writes the old content anew. */
function keep(folder: PinnedFolder, names: Names, place: Place): void {
  try {
    place.disk.linkSync(folder.at(names.own), folder.at(names.kept));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw changedMeanwhile(place);
    if (!hasNoLinks(error)) throw error;
  }
}

function hasNoLinks(error: unknown): boolean {
  return ['EPERM', 'EMLINK', 'ENOTSUP', 'EXDEV', 'ENOSYS'].includes(errnoOf(error) ?? '');
}

/** Whether a regular file, no link, lies there with just this content, mode and owner. */
function isFile(path: string, content: FileContent): boolean {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) return false;
  if ((stats.mode & 0o7777) !== content.mode || stats.uid !== content.uid || stats.gid !== content.gid) return false;
  return Buffer.compare(fs.readFileSync(path), content.bytes) === 0;
}

function removeIfThere(disk: Disk, path: string): boolean {
  if (fs.lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
  disk.unlinkSync(path);
  return true;
}

function closestFolder(tree: RootTree, folder: string): string {
  return folder === '/' || tree.kind(folder) !== 'absent' ? folder : closestFolder(tree, posix.dirname(folder));
}

function inFolder(place: Place, work: (folder: PinnedFolder, names: Names) => void, absent?: 'absent-is-fine'): void {
  explained(place, () => {
    try {
      PinnedFolder.within(place.tree, posix.dirname(place.target), (folder) => work(folder, namesOf(place)));
    } catch (error) {
      if (absent === undefined || errnoOf(error) !== 'ENOENT') throw error;
    }
  });
}

function explained(place: Place, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw writeRefusal(error, place.tree.onHost(place.target), place.uid);
  }
}

function changedMeanwhile({ tree, target }: Place): SlicectlError {
  const path = tree.onHost(target);
  return new SlicectlError('E_CHANGED', `${quote(path)} was changed by somebody else in this moment`, {
    hint: 'nothing of theirs was overwritten: try again',
    data: { path },
  });
}
