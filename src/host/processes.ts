import { readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { readBytesIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

/** A process as it is now. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  /** The program's file; undefined where it may not be read. ` (deleted)` is cut off. */
  readonly exe: string | undefined;
  readonly argv: readonly string[];
  /** Its group: of cgroup v2, or where that has none of systemd's v1 hierarchy; undefined where neither is there. */
  readonly cgroup: string | undefined;
  /** The effective one. */
  readonly uid: number;
  /** Clock ticks since boot; with the pid it names the process for good. */
  readonly startTicks: bigint;
  /** The environment it was started with; undefined where it may not be read. */
  environment(): ReadonlyMap<string, string> | undefined;
}

/**
 * Processes whose program or argv[0] has one of these base names, by pid. Threads of the kernel are none, nor are
 * processes that have ended and wait for their parent.
 */
export function findProcesses(paths: HostPaths, names: readonly string[]): readonly ProcessFacts[] {
  const wanted = new Set(names);
  return pidsOf(paths).flatMap((pid) => {
    const process = readProcess(paths, pid);
    if (process === undefined) return [];
    const { exe, argv } = process;
    const isWanted = [exe, argv[0]].some((path) => path !== undefined && wanted.has(basename(path)));
    return isWanted ? [process] : [];
  });
}

/** One process, such as a unit's main process; undefined where it is gone, has ended or is a thread of the kernel. */
export function readProcess(paths: HostPaths, pid: number): ProcessFacts | undefined {
  const folder = `${paths.proc}/${pid}`;
  const stat = read(`${folder}/stat`)?.toString('latin1');
  // The command in parentheses can hold blanks and parentheses itself.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const commandLine = read(`${folder}/cmdline`);
  if (fields === undefined || commandLine === undefined || 'ZX'.includes(fields[0] ?? 'X')) return undefined;
  const argv = splitNul(commandLine);
  const exe = exeOf(`${folder}/exe`);
  // A thread of the kernel has neither (proc_pid_cmdline(5)).
  if (argv.length === 0 && exe === undefined) return undefined;
  return {
    pid,
    parent: Number(fields[1] ?? 0),
    exe,
    argv,
    cgroup: cgroupOf(read(`${folder}/cgroup`)?.toString() ?? ''),
    uid: Number(/^Uid:\s+\d+\s+(\d+)/m.exec(read(`${folder}/status`)?.toString('latin1') ?? '')?.[1] ?? -1),
    startTicks: BigInt(fields[19] ?? '0'),
    environment: () => environmentOf(`${folder}/environ`),
  };
}

function pidsOf(paths: HostPaths): number[] {
  return readdirSync(paths.proc)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function read(path: string): Buffer | undefined {
  try {
    return readBytesIfThere(path);
  } catch (error) {
    if (['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

function exeOf(path: string): string | undefined {
  try {
    return readlinkSync(path).replace(/ \(deleted\)$/, '');
  } catch {
    return undefined;
  }
}

function splitNul(bytes: Buffer): string[] {
  const text = bytes.toString('utf8');
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
}

/** proc_pid_cgroup(5): `0::/path` of v2, `1:name=systemd:/path` of v1. */
function cgroupOf(text: string): string | undefined {
  const path = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const unified = path(/^0::(.*)$/m);
  const named = path(/^\d+:name=systemd:(.*)$/m);
  return unified === undefined || (unified === '/' && named !== undefined) ? named : unified;
}

function environmentOf(path: string): ReadonlyMap<string, string> | undefined {
  const bytes = read(path);
  if (bytes === undefined) return undefined;
  const entries = splitNul(bytes).flatMap((entry): [string, string][] => {
    const equals = entry.indexOf('=');
    return equals < 0 ? [] : [[entry.slice(0, equals), entry.slice(equals + 1)]];
  });
  return new Map(entries);
}
