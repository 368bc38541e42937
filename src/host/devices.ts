import { readlinkSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { badInput, errnoOf, quote } from '../core/errors.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

/**
 * `MAJ:MIN` of the whole disk behind a device node, or behind the file system that holds a file, which is what
 * systemd looks up too (`lookup_block_device`): the kernel takes I/O limits for whole disks only.
 */
export function blockDevice(paths: HostPaths, path: string): string {
  let number: bigint;
  try {
    const stat = statSync(path, { bigint: true });
    if (stat.isCharacterDevice())
      throw badInput(`${quote(path)} is a character device`, 'name a block device such as /dev/sda');
    number = stat.isBlockDevice() ? stat.rdev : stat.dev;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw badInput(`the device ${quote(path)} does not exist`, 'lsblk lists the block devices');
    throw error;
  }
  // The split of dev_t is glibc's (makedev(3)).
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  const found = `${major}:${minor}`;
  const entry = `${paths.sys}/dev/block/${found}`;
  if (readIfThere(`${entry}/dev`) === undefined) {
    throw badInput(`no block device stands behind ${quote(path)}`, 'name a device such as /dev/sda; lsblk lists them');
  }
  if (readIfThere(`${entry}/partition`) === undefined) return found;
  const disk = dirname(resolve(dirname(entry), readlinkSync(entry)));
  return readIfThere(`${disk}/dev`)?.trim() ?? found;
}
