import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineFolder, runFolder } from './paths.ts';
import { identify, isAlive, type ProcessId } from './process.ts';

/** What is known of a machine that was started, in `machine.json` of its run folder. */
export interface MachineRecord {
  readonly name: string;
  /** The process that watches the machine, and ends with it. */
  readonly keeper: ProcessId;
  /** systemd-nspawn or qemu. */
  readonly host?: ProcessId;
  /** Groups that the lab made on this host for a container. */
  readonly groups: readonly string[];
  /** The port on 127.0.0.1 of an emulated machine's sshd. */
  readonly port?: number;
  readonly image: string;
  /** Seconds since 1970, when it is stopped whatever happens. */
  readonly deadline: number;
  /** How long it took from the start to the end of the boot; set once it can be used. */
  readonly bootMs?: number;
}

const recordFile = (name: string): string => join(machineFolder(name), 'machine.json');

export function readRecord(name: string): MachineRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordFile(name), 'utf8')) as MachineRecord;
  } catch {
    return undefined;
  }
}

export function writeRecord(record: MachineRecord): void {
  const file = recordFile(record.name);
  writeFileSync(`${file}.new`, JSON.stringify(record, null, 2));
  renameSync(`${file}.new`, file);
}

export const isUp = (record: MachineRecord | undefined): record is MachineRecord & { bootMs: number } =>
  record?.bootMs !== undefined && isAlive(record.keeper);

/** All that have a record, in whatever state they are. */
export const recordedNames = (): string[] => folders(runFolder()).filter((name) => readRecord(name) !== undefined);

/** Images that a machine of any checkout runs on. */
export function imagesInUse(): string[] {
  const records = recordedNames().map(readRecord);
  return records.flatMap((record) => (record !== undefined && isAlive(record.keeper) ? [record.image] : []));
}

/** Who keeps a machine up: a process, until it ends, or `hand`, until `down` or the deadline. */
export type User = ProcessId | 'hand';

const usersFolder = (name: string): string => join(machineFolder(name), 'users');
const userFile = (user: User): string => (user === 'hand' ? user : `${user.pid}-${user.start}`);

export function addUser(name: string, user: User): void {
  mkdirSync(usersFolder(name), { recursive: true });
  writeFileSync(join(usersFolder(name), userFile(user)), '');
}

export function removeUser(name: string, user: User): void {
  rmSync(join(usersFolder(name), userFile(user)), { force: true });
}

/** The users of a machine that still live. */
export function liveUsers(name: string): string[] {
  return folders(usersFolder(name)).filter((file) => {
    const [pid = '', start = ''] = file.split('-');
    return file === 'hand' || isAlive({ pid: Number(pid), start });
  });
}

/**
 * The process that stands for this test file: vitest gives each a worker of its own, which ends with it. So no file keeps
 * a machine up that only an earlier one used.
 */
export function thisFile(): ProcessId {
  const id = identify(process.pid);
  if (id === undefined) throw new Error(`lab: process ${process.pid} is not in /proc`);
  return id;
}

function folders(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
