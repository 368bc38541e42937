import * as fs from 'node:fs';
import { posix } from 'node:path';
import { type Disk, syncFolder } from './disk.ts';
import type { RootTree } from './root-tree.ts';

// Node has no name for it: include/uapi/asm-generic/fcntl.h. Needs no permission to read the folder.
const O_PATH = 0o10000000;

/**
 * A folder that is held open, reached without following a link: what is done in it is done there, whoever renames or
 * replaces folders above it meanwhile. The way that openat(2) would give.
 */
export class PinnedFolder {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Does work in a folder of the tree; `path` has no links in it. Node's system errors: ENOENT, ENOTDIR for a link. */
  static within<T>(tree: RootTree, path: string, work: (folder: PinnedFolder) => T): T {
    let folder = new PinnedFolder(fs.openSync(tree.root, O_PATH | fs.constants.O_DIRECTORY));
    try {
      for (const part of path.split('/').filter((name) => name !== '')) {
        const above = folder;
        try {
          folder = above.#child(part);
        } finally {
          if (folder !== above) above.#close();
        }
      }
      return work(folder);
    } finally {
      folder.#close();
    }
  }

  /** A path for Node's functions that leads into this very folder. */
  at(name: string): string {
    return posix.join('/proc/self/fd', String(this.fd), name);
  }

  sync(disk: Disk): void {
    syncFolder(disk, this.at('.'));
  }

  #child(name: string): PinnedFolder {
    const { O_DIRECTORY, O_NOFOLLOW } = fs.constants;
    return new PinnedFolder(fs.openSync(this.at(name), O_PATH | O_DIRECTORY | O_NOFOLLOW));
  }

  #close(): void {
    fs.closeSync(this.fd);
  }
}
