import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, quote, SlicectlError } from '../../core/errors.ts';
import { ownerOf } from '../../core/job-id.ts';
import { readRegularFile } from '../../host/files.ts';
import { takeLock } from '../../host/lock.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { Self } from '../../host/self.ts';
import { isHeld, readJudge } from './held.ts';
import { type Lease, leaseText, parseLease } from './record.ts';

/** Where the leases of one world lie: root's, or those of one other user. */
export interface LeaseStore {
  readonly folder: string;
  readonly paths: HostPaths;
  readonly uid: number;
  /** Whether leases count for the whole machine, or among the jobs of one user alone. */
  readonly world: 'machine' | 'user';
  /** Root's folder, whose leases a user's jobs keep off; none for root itself. */
  readonly above: string | undefined;
}

/** What lies in a folder of leases. */
export interface LeaseList {
  readonly held: readonly Lease[];
  /** Their jobs are over, and their makers gone. */
  readonly over: readonly Lease[];
  /** Files that have the name of a lease and are none. */
  readonly faults: readonly SlicectlError[];
}

const SUFFIX = '.json';
const LOCK = 'lock';

/**
 * `/run/slicectl/leases` for root, `$XDG_RUNTIME_DIR/slicectl/leases` for others. `E_PRIVILEGE` for a user without such a
 * folder, which a login session makes.
 */
export function openLeases({ uid, env }: Self, paths: HostPaths): LeaseStore {
  const machine = machineLeases(uid, paths);
  if (uid === 0) return machine;
  const runtime = env.XDG_RUNTIME_DIR;
  if (!runtime?.startsWith('/')) {
    throw new SlicectlError('E_PRIVILEGE', 'XDG_RUNTIME_DIR is not set, so there is no place to write leases down', {
      hint: 'log in with a session of your own, or run as root',
    });
  }
  return { folder: `${runtime}/slicectl/leases`, paths, uid, world: 'user', above: machine.folder };
}

/** Root's leases, for who may write there. */
export function machineLeases(uid: number, paths: HostPaths): LeaseStore {
  return { folder: `${paths.run}/slicectl/leases`, paths, uid, world: 'machine', above: undefined };
}

/** The leases of this world and of the one above it. Changes nothing. */
export function readLeases({ folder, above, paths }: LeaseStore): LeaseList {
  const own = listIn(folder, paths);
  if (above === undefined) return own;
  const others = listIn(above, paths);
  return {
    held: [...own.held, ...others.held],
    over: own.over,
    faults: [...own.faults, ...others.faults],
  };
}

function listIn(folder: string, paths: HostPaths): LeaseList {
  const names = namesIn(folder);
  const list = { held: [] as Lease[], over: [] as Lease[], faults: [] as SlicectlError[] };
  if (names.length === 0) return list;
  const judge = readJudge(paths);
  for (const name of names) {
    try {
      const lease = readLease(folder, name);
      if (lease !== undefined) list[isHeld(judge, lease) ? 'held' : 'over'].push(lease);
    } catch (error) {
      if (!(error instanceof SlicectlError)) throw error;
      list.faults.push(error);
    }
  }
  return list;
}

/** Files of other names are not ours, and left alone. */
function namesIn(folder: string): string[] {
  try {
    return fs
      .readdirSync(folder)
      .filter((name) => name.endsWith(SUFFIX) && ownerOf(name.slice(0, -SUFFIX.length)) !== undefined)
      .sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}

function readLease(folder: string, name: string): Lease | undefined {
  const path = `${folder}/${name}`;
  const text = readRegularFile(path)?.toString('utf8');
  return text === undefined ? undefined : parseLease(text, name.slice(0, -SUFFIX.length), path);
}

/** A lock is held for milliseconds; many that come at once on a busy machine wait longer. */
const PATIENCE_MS = 120_000;

/**
 * Does work that nobody else does meanwhile: with the leases that hold, after those that are over went. `E_LOCKED` when
 * others keep the lock for too long, `E_FILE` for a folder that others can write.
 */
export async function withLeases<T>(store: LeaseStore, title: string, work: (list: LeaseList) => T): Promise<T> {
  makeFolder(store);
  const lock = await lockSoon(`${store.folder}/${LOCK}`, title, store.paths);
  try {
    const list = readLeases(store);
    for (const { id } of list.over) removeLease(store, id);
    return work(list);
  } finally {
    lock.release();
  }
}

async function lockSoon(path: string, title: string, paths: HostPaths): Promise<ReturnType<typeof takeLock>> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let pause = 5; ; pause = Math.min(pause * 2, 200)) {
    try {
      return takeLock(path, title, paths);
    } catch (error) {
      const isBusy = error instanceof SlicectlError && error.code === 'E_LOCKED';
      if (!isBusy || performance.now() > deadline) throw error;
    }
    // Many that wait at once should not all come again at once.
    await sleep(pause * (0.5 + Math.random()));
  }
}

/** Writes a lease down, or anew what is known of it: all of it at once, for whoever reads meanwhile. */
export function writeLease({ folder }: LeaseStore, lease: Lease): void {
  const path = `${folder}/${lease.id}${SUFFIX}`;
  const temporary = `${path}.new`;
  try {
    fs.rmSync(temporary, { force: true });
    fs.writeFileSync(temporary, leaseText(lease), { flag: 'wx', mode: 0o644 });
    fs.renameSync(temporary, path);
  } catch (error) {
    throw new SlicectlError('E_FILE', `${quote(path)} cannot be written (${errnoOf(error) ?? String(error)})`, {
      hint: 'see whether /run is full',
      cause: error,
      data: { path },
    });
  }
}

export function removeLease({ folder }: LeaseStore, id: string): void {
  fs.rmSync(`${folder}/${id}${SUFFIX}`, { force: true });
}

/** Makes the folder and the one above it, and refuses links and folders that others could put leases into. */
function makeFolder({ folder, uid, world }: LeaseStore): void {
  const above = folder.slice(0, folder.lastIndexOf('/'));
  for (const path of [above, folder]) {
    try {
      fs.mkdirSync(path, world === 'machine' ? 0o755 : 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw notMade(path, error);
    }
    const found = fs.lstatSync(path);
    if (found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0) continue;
    throw new SlicectlError('E_FILE', `${quote(path)} is not a folder that only its owner can write`, {
      hint: 'see what it is, and move it away',
      data: { path },
    });
  }
}

function notMade(path: string, cause: unknown): SlicectlError {
  return new SlicectlError('E_FILE', `${quote(path)} cannot be made (${errnoOf(cause) ?? String(cause)})`, {
    cause,
    data: { path },
  });
}
