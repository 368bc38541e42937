import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { errnoOf, quote, SlicectlError } from '../core/errors.ts';
import { readIfThere, readRegularFile } from './files.ts';
import type { HostPaths } from './paths.ts';
import { mayBeAlive, readOwner } from './process.ts';
import { ifReadable } from './readable.ts';

/** Who holds a lock, as it says itself. */
export interface Holder {
  readonly pid: number;
  /** In clock ticks since boot, /proc/PID/stat; text, since it may pass 2^53. */
  readonly startTime: string;
  readonly pidNamespace: string;
  readonly bootId: string;
  /** ISO 8601. */
  readonly since: string;
  /** What it does: `undo 20261121-235747`. */
  readonly title: string;
}

/** Held by flock(2) on the open file: the kernel gives it back when the process ends in whatever way. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock of a file, which is made and never removed, or refuses with `E_LOCKED`, naming the holder. Nothing has to
 * be taken over from a dead holder: its lock went with it. Node cannot call flock(2) itself; flock(1) of util-linux or
 * busybox does it on the open file, which stays locked in this process.
 */
export function takeLock(path: string, title: string, paths: HostPaths): Lock {
  const { O_CREAT, O_NOFOLLOW, O_RDWR } = fs.constants;
  const fd = fs.openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    if (!fs.fstatSync(fd).isFile()) throw noLockFile(path);
    const { status, error } = spawnSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    if (error !== undefined) throw noFlock(error);
    if (status !== 0) throw isHeld(readHolder(path, paths));
    sign(fd, JSON.stringify(selfAsHolder(title, paths)));
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  return {
    release() {
      sign(fd, '');
      fs.closeSync(fd);
    },
  };
}

/** Who holds the lock now; undefined where nobody lives that has signed it. */
export function readHolder(path: string, paths: HostPaths): Holder | undefined {
  const text = ifReadable(() => readRegularFile(path))?.toString('utf8');
  const holder = text === undefined ? undefined : parseHolder(text);
  if (holder === undefined || holder.bootId !== bootId(paths)) return undefined;
  const { pid, startTime, pidNamespace } = holder;
  const owner = { pid, startTime: BigInt(startTime), pidNamespace: BigInt(pidNamespace) };
  return mayBeAlive(paths, owner, readOwner(paths)) ? holder : undefined;
}

/** Changes at each boot; empty where there is no /proc. */
export function bootId(paths: HostPaths): string {
  return readIfThere(`${paths.proc}/sys/kernel/random/boot_id`)?.trim() ?? '';
}

function selfAsHolder(title: string, paths: HostPaths): Holder {
  const { pid, startTime, pidNamespace } = readOwner(paths);
  return {
    pid,
    startTime: startTime.toString(),
    pidNamespace: pidNamespace.toString(),
    bootId: bootId(paths),
    since: new Date().toISOString(),
    title,
  };
}

// For people only: a full disk, on which a change is undone all the same, leaves the lock unsigned.
function sign(fd: number, text: string): void {
  try {
    fs.ftruncateSync(fd, 0);
    fs.writeSync(fd, text, 0);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const found = JSON.parse(text) as Partial<Holder>;
    const isWhole =
      typeof found.pid === 'number' &&
      [found.startTime, found.pidNamespace].every((digits) => typeof digits === 'string' && /^\d+$/.test(digits)) &&
      [found.bootId, found.since, found.title].every((word) => typeof word === 'string');
    return isWhole ? (found as Holder) : undefined;
  } catch {
    return undefined;
  }
}

function isHeld(holder: Holder | undefined): SlicectlError {
  if (holder === undefined)
    return new SlicectlError('E_LOCKED', 'another slicectl is changing this host', { hint: WAIT });
  const { pid, since, title } = holder;
  return new SlicectlError(
    'E_LOCKED',
    `another slicectl is changing this host: process ${pid}, since ${since}: ${quote(title)}`,
    { hint: WAIT, data: { holder } },
  );
}

function noLockFile(path: string): SlicectlError {
  return new SlicectlError('E_FILE', `${quote(path)} is not a regular file, so it cannot be locked`, {
    hint: 'see what it is, and move it away',
  });
}

const WAIT = 'wait until it has ended, then try again';

function noFlock(cause: Error): SlicectlError {
  return new SlicectlError(
    'E_FILE',
    `flock(1) cannot be run (${errnoOf(cause) ?? cause.message}), so nothing is locked`,
    {
      hint: 'install util-linux',
      cause,
    },
  );
}
