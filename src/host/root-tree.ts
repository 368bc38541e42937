import { type Dirent, lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { posix } from 'node:path';
import { badInput, errnoOf, quote, SlicectlError } from '../core/errors.ts';

/** As the kernel has it (MAXSYMLINKS, include/linux/namei.h). */
const MOST_LINKS = 40;

/** The largest files that are read are package databases of some MiB; a parser takes minutes for what fills a disk. */
const MOST_BYTES = 16 << 20;

export interface FoundFile {
  /** As it was asked for. */
  readonly path: string;
  /** Where that leads when links are followed, below the tree's root. */
  readonly target: string;
  readonly bytes: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
}

/**
 * The files of this host, or of a tree somewhere on it (`--root DIR`). Paths are those inside the tree. Links are
 * followed as they would be there: an absolute one starts at the tree's root, and `..` does not lead out of it.
 */
export class RootTree {
  /** `/`, or the folder that is `/` to everything in it. */
  readonly root: string;

  constructor(root = '/') {
    this.root = posix.resolve(root);
  }

  get isHost(): boolean {
    return this.root === '/';
  }

  /** The path on this host of a path in the tree whose links have been followed. */
  onHost(target: string): string {
    return this.isHost ? target : posix.join(this.root, target);
  }

  /** Where a path leads, links followed; the last part, or all after it, may be absent. `E_FILE` for a loop of links. */
  follow(path: string): string {
    return this.#walk(path).target;
  }

  /** The links on the way of a path, each with its own path, in order; the folders above each are followed. */
  linksOn(path: string): readonly string[] {
    return this.#walk(path).links;
  }

  #walk(path: string): { readonly target: string; readonly links: readonly string[] } {
    const links: string[] = [];
    let done = '/';
    const rest = path.split('/');
    for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        done = posix.dirname(done);
        continue;
      }
      const next = posix.join(done, part);
      const link = this.#link(next);
      if (link === undefined) {
        done = next;
        continue;
      }
      links.push(next);
      if (links.length > MOST_LINKS) throw fileError(path, 'leads through a loop of links');
      if (link.startsWith('/')) done = '/';
      rest.unshift(...link.split('/'));
    }
    return { target: done, links };
  }

  /** A regular file with its content, or undefined where there is none. `E_FILE` for what cannot be read or is no file. */
  read(path: string): FoundFile | undefined {
    const target = this.follow(path);
    const stats = this.#stat(target);
    if (stats === undefined) return undefined;
    if (!stats.isFile()) throw fileError(path, 'is not a regular file');
    if (stats.size > MOST_BYTES) throw fileError(path, `is larger than ${MOST_BYTES >> 20} MiB, which is not read`);
    try {
      const bytes = readFileSync(this.onHost(target));
      return { path, target, bytes, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, mtimeMs: stats.mtimeMs };
    } catch (error) {
      throw fileError(path, `cannot be read (${errnoOf(error) ?? String(error)})`, error);
    }
  }

  /** The text of a file, or undefined where there is none. */
  text(path: string): string | undefined {
    return this.read(path)?.bytes.toString('utf8');
  }

  /** The names in a folder, sorted by their bytes; none where there is no such folder. */
  list(path: string): string[] {
    return this.#entries(path).map(({ name }) => name);
  }

  /** Those of the names in a folder that are links. */
  listLinks(path: string): string[] {
    return this.#entries(path).flatMap((entry) => (entry.isSymbolicLink() ? [entry.name] : []));
  }

  #entries(path: string): Dirent[] {
    const target = this.follow(path);
    try {
      const entries = readdirSync(this.onHost(target), { withFileTypes: true });
      return entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
      throw fileError(path, `cannot be read (${errnoOf(error) ?? String(error)})`, error);
    }
  }

  /** What a path leads to, links followed. */
  kind(path: string): 'file' | 'folder' | 'other' | 'absent' {
    const stats = this.#stat(this.follow(path));
    if (stats === undefined) return 'absent';
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  }

  /** Who owns a folder, or where there is none the closest one above it. */
  ownerOf(folder: string): { readonly uid: number; readonly gid: number } {
    const target = this.follow(folder);
    const stats = this.#stat(target);
    if (stats === undefined && target !== '/') return this.ownerOf(posix.dirname(target));
    return { uid: stats?.uid ?? 0, gid: stats?.gid ?? 0 };
  }

  /** The text of a link, not followed; undefined where there is no link. Folders above it are followed. */
  link(path: string): string | undefined {
    return this.#link(posix.join(this.follow(posix.dirname(path)), posix.basename(path)));
  }

  /** Asked for every part of every path: most are no links, and an exception for each of them would take most of the time. */
  #link(target: string): string | undefined {
    if (!this.#stat(target)?.isSymbolicLink()) return undefined;
    try {
      return readlinkSync(this.onHost(target));
    } catch (error) {
      if (['EINVAL', 'ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
      throw fileError(target, `cannot be read (${errnoOf(error) ?? String(error)})`, error);
    }
  }

  #stat(target: string): Stats | undefined {
    try {
      return lstatSync(this.onHost(target), { throwIfNoEntry: false });
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
      throw fileError(target, `cannot be read (${errnoOf(error) ?? String(error)})`, error);
    }
  }
}

/** The tree of `--root DIR`, or of this host. `E_INPUT` for what is no folder. */
export function openTree(root: string | undefined): RootTree {
  if (root !== undefined && !statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw badInput(`--root ${quote(root)} is not a folder`, 'name the folder where the tree of the image lies');
  }
  return new RootTree(root);
}

function fileError(path: string, what: string, cause?: unknown): SlicectlError {
  const hint = errnoOf(cause) === 'EACCES' ? { hint: 'run it as root' } : {};
  return new SlicectlError('E_FILE', `${quote(path)} ${what}`, { ...hint, data: { path }, cause });
}
