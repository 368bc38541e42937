import { type IndexSet, parseIndexSet } from '../core/cpuset.ts';
import { errnoOf } from '../core/errors.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';
import { foldersIn, threadsBelow } from './tree.ts';

/**
 * `user`: of a process. `movable`: a kernel thread that sched_setaffinity(2) can move. `fixed`: one that refuses it and
 * may run on several CPUs, such as a worker. `per-cpu`: one that belongs to its CPU.
 */
export type TaskKind = 'user' | 'movable' | 'fixed' | 'per-cpu';

/** One thread, of a process or of the kernel. */
export interface Task {
  readonly tid: number;
  readonly pid: number;
  /** When it started, in clock ticks since boot: with its number what tells it from all others (proc_pid_stat(5)). */
  readonly startTicks: bigint;
  readonly name: string;
  readonly kind: TaskKind;
  /** `R`, `S`, `D`, `Z`… (proc_pid_stat(5)). */
  readonly state: string;
  /** The group in the v2 tree; where that has it in `/`, in systemd's own hierarchy of v1, or in that of cpuset. */
  readonly cgroup: string | undefined;
  /** The group in the hierarchy of cpuset, where that is one of v1. */
  readonly cpusetV1: string | undefined;
  /** Where it may run: its own mask within that of its cpuset. */
  readonly allowed: IndexSet;
  /** Where it ran last. */
  readonly cpu: number;
  /** How often it had to give way to another task. */
  readonly involuntary: bigint;
  /** Whether it refuses to be moved (PF_NO_SETAFFINITY): kernel threads, and I/O workers of processes. */
  readonly noSetAffinity: boolean;
}

// include/linux/sched.h
const PF_KTHREAD = 0x0020_0000;
const PF_NO_SETAFFINITY = 0x0400_0000;

/**
 * All threads that /proc shows: with hidepid, those of the caller alone. Those that end meanwhile are left out.
 */
export function readTasks(paths: HostPaths): readonly Task[] {
  const setOf = readSets();
  return foldersIn(paths.proc)
    .filter(isNumber)
    .flatMap((pid) => threadsOf(paths, pid, setOf));
}

/** The threads in a group of the v2 tree and below it, by what the kernel lists there; `folder` is that of the group. */
export function readTasksBelow({ proc }: HostPaths, folder: string): readonly Task[] {
  const setOf = readSets();
  return threadsBelow(folder).flatMap((tid) => {
    const status = orGone(() => readIfThere(`${proc}/${tid}/status`)) ?? '';
    const pid = /^Tgid:\s*(\d+)/m.exec(status)?.[1];
    return pid === undefined ? [] : taskOf(`${proc}/${tid}`, { pid, tid: String(tid), setOf, status });
  });
}

type SetReader = (text: string) => IndexSet;

/** Most tasks have one of a few sets. */
function readSets(): SetReader {
  const sets = new Map<string, IndexSet>();
  return (text) => {
    const known = sets.get(text) ?? parseIndexSet(text, 'Cpus_allowed_list');
    sets.set(text, known);
    return known;
  };
}

const isNumber = (name: string): boolean => /^\d+$/.test(name);

function threadsOf({ proc }: HostPaths, pid: string, setOf: SetReader): Task[] {
  const folder = `${proc}/${pid}/task`;
  const tids = threadFolders(folder).filter(isNumber);
  // Threads are in one group, but for those in threaded groups, such as the vCPUs of libvirt.
  const shared = tids.length === 1 ? groupsOf(`${proc}/${pid}`) : undefined;
  return tids.flatMap((tid) => taskOf(`${folder}/${tid}`, { pid, tid, setOf, shared }));
}

interface Reading {
  readonly pid: string;
  readonly tid: string;
  readonly setOf: SetReader;
  /** What was read before. */
  readonly status?: string;
  readonly shared?: Pick<Task, 'cgroup' | 'cpusetV1'> | undefined;
}

/** None where the thread has ended. */
function taskOf(folder: string, { pid, tid, setOf, shared, ...known }: Reading): Task[] {
  const stat = orGone(() => readIfThere(`${folder}/stat`));
  const status = known.status ?? orGone(() => readIfThere(`${folder}/status`));
  if (!stat || !status) return [];
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const flags = Number(fields[6] ?? 0);
  const allowed = setOf(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
  return [
    {
      tid: Number(tid),
      pid: Number(pid),
      startTicks: BigInt(fields[19] ?? 0),
      name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
      kind: kindOf(flags, allowed),
      state: fields[0] ?? '?',
      ...(shared ?? groupsOf(folder)),
      allowed,
      cpu: Number(fields[36] ?? 0),
      involuntary: BigInt(/^nonvoluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1] ?? 0),
      noSetAffinity: (flags & PF_NO_SETAFFINITY) !== 0,
    },
  ];
}

/** As the kernel tells them apart (is_per_cpu_kthread, kernel/sched/sched.h), for those that cannot be moved. */
function kindOf(flags: number, allowed: IndexSet): TaskKind {
  if ((flags & PF_KTHREAD) === 0) return 'user';
  if ((flags & PF_NO_SETAFFINITY) === 0) return 'movable';
  return allowed.length === 1 ? 'per-cpu' : 'fixed';
}

function groupsOf(folder: string): Pick<Task, 'cgroup' | 'cpusetV1'> {
  const text = orGone(() => readIfThere(`${folder}/cgroup`)) ?? '';
  const unified = /^0::(.*)$/m.exec(text)?.[1];
  const systemd = /^\d+:name=systemd:(.*)$/m.exec(text)?.[1];
  const cpusetV1 = /^\d+:(?:[^:\n]*,)?cpuset(?:,[^:\n]*)?:(.*)$/m.exec(text)?.[1];
  const paths = [unified, systemd, cpusetV1].filter((path) => path !== undefined);
  return { cgroup: paths.find((path) => path !== '/') ?? paths[0], cpusetV1 };
}

function threadFolders(folder: string): string[] {
  return orGone(() => foldersIn(folder)) ?? [];
}

/** A task that ended, or that hidepid keeps from the caller. */
function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (['ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
