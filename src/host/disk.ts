import * as fs from 'node:fs';

/** Every call by which slicectl alters a file system for good. A test counts them, fails them, or ends the process in one. */
export type Disk = Pick<
  typeof fs,
  | 'fchmodSync'
  | 'fchownSync'
  | 'fsyncSync'
  | 'linkSync'
  | 'mkdirSync'
  | 'openSync'
  | 'renameSync'
  | 'rmdirSync'
  | 'unlinkSync'
  | 'writeSync'
>;

export const DISK: Disk = fs;

/** Writes all of it at a position: write(2) may stop early. */
export function writeFully(disk: Disk, fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += disk.writeSync(fd, bytes, at, bytes.length - at, position + at);
}

/** Makes entries of a folder last: without it a power loss may take a rename back. */
export function syncFolder(disk: Disk, folder: string): void {
  const fd = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    disk.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
