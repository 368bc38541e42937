import * as fs from 'node:fs';
import { posix } from 'node:path';
import { badInput, errnoOf, quote, SlicectlError } from '../core/errors.ts';
import { DISK, type Disk, syncFolder, writeFully } from '../host/disk.ts';
import { writeRefusal } from '../host/file-refusal.ts';
import { readRegularFile } from '../host/files.ts';
import { type Holder, type Lock, readHolder, takeLock } from '../host/lock.ts';
import { HOST, type HostPaths } from '../host/paths.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { Self } from '../host/self.ts';
import type { Plan } from './plan.ts';
import { addUp, type FinalState, type Progress, type ProgressLine, parseProgress, progressText } from './progress.ts';
import { parseStored, type StoredChange, storedText } from './stored.ts';

const PLAN = 'plan.json';
const PROGRESS = 'progress.jsonl';
const LOCK = 'lock';

/** As much room as the lines of a change take, made at its beginning: going back needs none on a disk that is full. */
const ROOM = 4096;
const ROOM_PER_STEP = 1024;

/** `interrupted`: neither over, nor is anybody at it. */
export type ChangeState = FinalState | 'applying' | 'undoing' | 'interrupted';

/** One change as the journal has it. */
export interface ChangeRecord extends StoredChange {
  readonly state: ChangeState;
  readonly progress: Progress;
}

/** A change whose record cannot be read. */
export interface UnreadableChange {
  readonly id: string;
  readonly problem: SlicectlError;
  /** Whether its progress says that it is over. */
  readonly isOver: boolean;
}

/** Where changes are written down, and by whom. */
export interface Store {
  /** On this host. */
  readonly folder: string;
  readonly uid: number;
  readonly paths: HostPaths;
  readonly disk: Disk;
}

/**
 * The journal of a tree: in /var/lib/slicectl/journal below its root, or for this host and a normal user in
 * $XDG_STATE_HOME. Makes nothing. `E_INPUT` for a user without a home.
 */
export function openStore(tree: RootTree, self: Self, disk: Disk = DISK, paths: HostPaths = HOST): Store {
  const { uid, env } = self;
  const folder =
    tree.isHost && uid !== 0
      ? posix.join(stateOfUser(env), 'slicectl/journal')
      : tree.onHost(tree.follow('/var/lib/slicectl/journal'));
  return { folder, uid, paths, disk };
}

/** As the XDG Base Directory Specification has it, by which a relative path does not count. */
function stateOfUser({ XDG_STATE_HOME = '', HOME = '' }: Self['env']): string {
  if (XDG_STATE_HOME.startsWith('/')) return XDG_STATE_HOME;
  if (HOME.startsWith('/')) return posix.join(HOME, '.local/state');
  throw badInput('HOME is not set, so that nobody knows where the journal of this user is', 'set it');
}

/** Takes the lock under which one change at a time is made or undone. `E_LOCKED` names who holds it. */
export function lockStore(store: Store, title: string): Lock {
  makeFolder(store);
  const path = posix.join(store.folder, LOCK);
  try {
    return takeLock(path, title, store.paths);
  } catch (error) {
    throw writeRefusal(error, path, store.uid);
  }
}

/** Who is changing the host now. */
export function holderOf(store: Store): Holder | undefined {
  return readHolder(posix.join(store.folder, LOCK), store.paths);
}

/** `E_LOCKED` while somebody is changing the host. A signature alone says little of a holder in another pid namespace. */
export function assertNobodyAtIt(store: Store): void {
  if (holderOf(store) !== undefined) lockStore(store, 'a look at the journal').release();
}

/** All changes, the oldest first. `E_FILE` when the journal is not for the caller to read. */
export function listChanges(store: Store): readonly (ChangeRecord | UnreadableChange)[] {
  return idsIn(store).map((id) => {
    try {
      return readChange(store, id);
    } catch (error) {
      if (!(error instanceof SlicectlError)) throw error;
      return { id, problem: error, isOver: isOver(store, id) };
    }
  });
}

/** One change; `E_HISTORY` where there is no such one. */
export function readChange(store: Store, id: string): ChangeRecord {
  assertOwn(store);
  const path = posix.join(store.folder, id, PLAN);
  const text = isId(id) ? readRegularFile(path)?.toString('utf8') : undefined;
  if (text === undefined) {
    throw new SlicectlError('E_HISTORY', `there is no change ${quote(id)}`, { hint: 'slicectl history lists them' });
  }
  const progress = readProgress(store, id);
  return { ...parseStored(text, path), id, progress, state: stateOf(progress, holderOf(store)) };
}

/** A change has a progress file with room in it before it has a plan; without one nobody knows how far it came. */
function readProgress({ folder }: Store, id: string): Progress {
  const path = posix.join(folder, id, PROGRESS);
  const text = readRegularFile(path)?.toString('utf8') ?? '';
  if (text !== '') return addUp(parseProgress(text));
  throw new SlicectlError('E_HISTORY', `${path} is gone or empty, so that nobody knows how far the change came`);
}

function isOver(store: Store, id: string): boolean {
  try {
    return readProgress(store, id).ended !== undefined;
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    return false;
  }
}

/** The change that nobody is at and that is not over; at most one can be. `isHolder`: the caller holds the lock. */
export function interrupted(store: Store, isHolder = false): ChangeRecord | undefined {
  const changes = listChanges(store).filter((change): change is ChangeRecord => 'plan' in change);
  return changes.findLast(({ state, progress }) => (isHolder ? progress.ended === undefined : state === 'interrupted'));
}

/** The bytes that a change takes in the journal. */
export function sizeOf(store: Store, id: string): number {
  const size = (name: string): number =>
    fs.statSync(posix.join(store.folder, id, name), { throwIfNoEntry: false })?.size ?? 0;
  return size(PLAN) + size(PROGRESS);
}

/** The record of one change while it is written. Every line is on the disk when `append` returns. */
export class Journal {
  readonly id: string;
  readonly #store: Store;
  readonly #fd: number;
  #position: number;

  private constructor(store: Store, id: string, fd: number, position: number) {
    this.#store = store;
    this.id = id;
    this.#fd = fd;
    this.#position = position;
  }

  /** Begins a change: its whole plan is on the disk before anything else happens. To be called under the lock. */
  static create(store: Store, plan: Plan, now: Date): Journal {
    const { disk, folder, uid } = store;
    try {
      removeUnbegun(store);
      const id = makeIdFolder(store, now);
      const own = posix.join(folder, id);
      const room = Buffer.alloc(ROOM + ROOM_PER_STEP * plan.steps.length, '\n');
      writeWhole(disk, posix.join(own, PROGRESS), room);
      const temporary = posix.join(own, `${PLAN}.new`);
      writeWhole(disk, temporary, Buffer.from(storedText({ id, at: now.toISOString(), uid, plan })));
      disk.renameSync(temporary, posix.join(own, PLAN));
      syncFolder(disk, own);
      syncFolder(disk, folder);
      return Journal.open(store, id);
    } catch (error) {
      throw writeRefusal(error, folder, uid);
    }
  }

  /** Goes on with a change. To be called under the lock. */
  static open(store: Store, id: string): Journal {
    const path = posix.join(store.folder, id, PROGRESS);
    const fd = store.disk.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, 0o600);
    const written = fs.readFileSync(fd);
    return new Journal(store, id, fd, written.findLastIndex((byte) => byte !== 0x0a) + 1);
  }

  append(line: WithoutTime): void {
    const text = `\n${progressText({ at: new Date().toISOString(), ...line } as ProgressLine)}\n`;
    const bytes = Buffer.from(text);
    try {
      writeFully(this.#store.disk, this.#fd, bytes, this.#position);
      this.#store.disk.fsyncSync(this.#fd);
    } catch (error) {
      throw writeRefusal(error, posix.join(this.#store.folder, this.id, PROGRESS), this.#store.uid);
    }
    this.#position += bytes.length - 1;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

type WithoutTime = ProgressLine extends infer Line ? (Line extends unknown ? Omit<Line, 'at'> : never) : never;

function stateOf({ ended, isUndoing }: Progress, holder: Holder | undefined): ChangeState {
  if (ended) return ended.state;
  if (holder === undefined) return 'interrupted';
  return isUndoing ? 'undoing' : 'applying';
}

function isId(name: string): boolean {
  return /^\d{8}-\d{6}(-\d+)?$/.test(name);
}

/** Complete ones only: a folder without a plan is a change that was never begun. */
function idsIn(store: Store): readonly string[] {
  const { folder } = store;
  assertOwn(store);
  try {
    const names = fs.readdirSync(folder).filter(isId);
    return names.filter((id) => fs.existsSync(posix.join(folder, id, PLAN))).sort(byTime);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    const hint = errnoOf(error) === 'EACCES' ? { hint: 'run it as root' } : {};
    throw new SlicectlError('E_FILE', `${quote(folder)} cannot be read (${errnoOf(error) ?? String(error)})`, hint);
  }
}

function byTime(a: string, b: string): number {
  const [dayA = '', timeA = '', againA = '1'] = a.split('-');
  const [dayB = '', timeB = '', againB = '1'] = b.split('-');
  return `${dayA}${timeA}`.localeCompare(`${dayB}${timeB}`) || Number(againA) - Number(againB);
}

/** Whole seconds in UTC, which never come twice but for a clock that was set back; then and within a second with a number. */
function makeIdFolder({ folder, disk }: Store, now: Date): string {
  const [day = '', time = ''] = now
    .toISOString()
    .replace(/[-:]|\..*/g, '')
    .split('T');
  for (let again = 1; ; again += 1) {
    const id = again === 1 ? `${day}-${time}` : `${day}-${time}-${again}`;
    try {
      disk.mkdirSync(posix.join(folder, id), 0o700);
      return id;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** What a slicectl left that ended while it wrote a plan: nothing of it was done. */
function removeUnbegun({ folder, disk }: Store): void {
  for (const id of fs.readdirSync(folder).filter(isId)) {
    const own = posix.join(folder, id);
    if (fs.existsSync(posix.join(own, PLAN))) continue;
    for (const name of fs.readdirSync(own)) disk.unlinkSync(posix.join(own, name));
    disk.rmdirSync(own);
  }
}

/** The folder for nobody but its owner, and those above it. */
function makeFolder(store: Store): void {
  const { folder, uid, disk } = store;
  try {
    const missing: string[] = [];
    for (let at = folder; !fs.existsSync(at); at = posix.dirname(at)) missing.unshift(at);
    // One by one: where the kernel makes no folders, as in /proc, Node's own recursion does not end.
    for (const path of missing) disk.mkdirSync(path, path === folder || uid !== 0 ? 0o700 : 0o755);
    for (const path of missing.toReversed()) syncFolder(disk, posix.dirname(path));
  } catch (error) {
    throw writeRefusal(error, folder, uid);
  }
  assertOwn(store);
}

/**
 * `E_FILE` for a journal that others may have written, since what is in it would be done by its reader: one that is not
 * the caller's or root's, or not for its owner alone.
 */
function assertOwn({ folder, uid }: Store): void {
  const found = lstatIfThere(folder);
  if (found === undefined) return;
  const isOwn = found.uid === uid || found.uid === 0;
  if (found.isDirectory() && isOwn && (found.mode & 0o077) === 0) return;
  const what = !found.isDirectory()
    ? 'is no folder'
    : isOwn
      ? 'can be read or written by others than its owner'
      : `belongs to the user ${found.uid}`;
  throw new SlicectlError('E_FILE', `${quote(folder)} ${what}, so it is not taken for a journal`, {
    hint: found.isDirectory() ? 'see what is in it, then chmod 700 and chown it' : 'see what it is, and move it away',
    data: { path: folder },
  });
}

function lstatIfThere(path: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOTDIR') return undefined;
    const hint = errno === 'EACCES' ? { hint: 'run it as root' } : {};
    throw new SlicectlError('E_FILE', `${quote(path)} cannot be read (${errno ?? String(error)})`, hint);
  }
}

function writeWhole(disk: Disk, path: string, bytes: Uint8Array): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;
  const fd = disk.openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
  try {
    writeFully(disk, fd, bytes, 0);
    disk.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
