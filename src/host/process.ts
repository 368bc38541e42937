import { readlinkSync } from 'node:fs';
import type { Owner } from '../core/job-id.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

/** The fields of /proc/PID/stat from the third on (proc_pid_stat(5)), or undefined where the process is gone. */
function statFields(paths: HostPaths, pid: number | 'self'): string[] | undefined {
  const text = readIfThere(`${paths.proc}/${pid}/stat`);
  // The command in parentheses can hold blanks and parentheses itself.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Who this process is, for the names of what it makes. */
export function readOwner(paths: HostPaths): Owner {
  const fields = statFields(paths, 'self') ?? [];
  return {
    pid: Number(readlinkSync(`${paths.proc}/self`)),
    startTime: BigInt(fields[19] ?? '0'),
    pidNamespace: BigInt(/\d+/.exec(readlinkSync(`${paths.proc}/self/ns/pid`))?.[0] ?? '0'),
  };
}

/** Whether the maker of a name can still be at work. A maker in another pid namespace cannot be judged from here. */
export function mayBeAlive(paths: HostPaths, owner: Owner, self: Owner): boolean {
  if (owner.pidNamespace !== self.pidNamespace) return true;
  const fields = statFields(paths, owner.pid);
  return fields !== undefined && fields[0] !== 'Z' && fields[19] === owner.startTime.toString();
}

/** Whether the process is in the foreground of its terminal, so that the terminal's signals reach it directly. */
export function inForeground(paths: HostPaths, pid: number | 'self' = 'self'): boolean {
  const fields = statFields(paths, pid) ?? [];
  return fields[5] !== undefined && fields[5] !== '-1' && fields[2] === fields[5];
}

/** The process group, or undefined where the process is gone. */
export function processGroup(paths: HostPaths, pid: number | 'self'): string | undefined {
  return statFields(paths, pid)?.[2];
}

/** Whether a signal has stopped the process, until SIGCONT. */
export function isStopped(paths: HostPaths, pid: number): boolean {
  return statFields(paths, pid)?.[0] === 'T';
}

/** Whether the process cannot take a signal now: uninterruptible in the kernel, or ended already. */
export function isStuck(paths: HostPaths, pid: number): boolean {
  return ['D', 'Z', 'X', undefined].includes(statFields(paths, pid)?.[0]);
}
