import { setTimeout as sleep } from 'node:timers/promises';
import { type IndexSet, intersection } from '../../core/cpuset.ts';
import {
  type CountsByCpu,
  type CpuQueue,
  type CpuTimes,
  readCpuInterrupts,
  readCpuQueues,
  readCpuTimes,
  readSoftirqs,
  readTaskTime,
} from '../../host/cpu-times.ts';
import { readIfThere } from '../../host/files.ts';
import { parseInterrupts } from '../../host/interrupts.ts';
import type { HostPaths } from '../../host/paths.ts';
import { readTasks, type Task } from '../../host/tasks.ts';

/** What went on on CPUs in a window of time. */
export interface Activity {
  readonly windowMs: number;
  /** How often tasks were looked at. */
  readonly looks: number;
  readonly cpus: ReadonlyMap<number, CpuActivity>;
  /** Tasks that had time there, most first. Which CPU had it is known by where a task was at each look. */
  readonly tasks: readonly TaskActivity[];
  /** Counters that moved: device interrupts by number, the CPU's own (`LOC`), softirqs (`TIMER`). */
  readonly interrupts: readonly LineActivity[];
  readonly cpuInterrupts: ReadonlyMap<string, number>;
  readonly softirqs: ReadonlyMap<string, number>;
}

export interface CpuActivity extends CpuTimes {
  /** Undefined where the kernel does not count them (no CONFIG_SCHEDSTATS). */
  readonly queue: CpuQueue | undefined;
}

export interface TaskActivity {
  readonly task: Task;
  readonly ranMs: number;
  /** The same by CPU. */
  readonly cpus: ReadonlyMap<number, number>;
  /** Times that it had to give way, anywhere. */
  readonly involuntary: number;
}

export interface LineActivity {
  readonly number: number;
  readonly name: string;
  readonly counts: ReadonlyMap<number, number>;
}

/** Tasks that can run on the CPUs are looked at this often. */
const LOOK_MS = 50;

/**
 * Watches CPUs for a time. Tasks that begin and end between two looks are seen in the CPUs' own times alone. `signal` ends
 * the window early.
 */
export async function watchCpus(
  paths: HostPaths,
  cpus: IndexSet,
  windowMs: number,
  signal?: AbortSignal,
): Promise<Activity> {
  const begin = readCounters(paths);
  const seen = new Map<string, Seen>();
  const start = performance.now();
  const before = new Map(readTasks(paths).map((task) => [keyOf(task), task]));
  const first = new Map([...before].filter(([, task]) => isCandidate(task, cpus)));
  for (const [key, task] of first) look(paths, seen, key, task, cpus);
  let looks = 1;
  while (!signal?.aborted) {
    const left = start + windowMs - performance.now();
    if (left <= 0) break;
    const lookStart = performance.now();
    await sleep(Math.min(left, LOOK_MS), undefined, signal && { signal }).catch(() => undefined);
    for (const [key, task] of first) look(paths, seen, key, task, cpus);
    looks += 1;
    // On a machine with thousands of such tasks the looking must not become the load that is found.
    const cost = performance.now() - lookStart - LOOK_MS;
    if (cost > LOOK_MS) await sleep(Math.min(cost * 4, Math.max(start + windowMs - performance.now(), 0)));
  }
  const last = readTasks(paths).filter((task) => isCandidate(task, cpus));
  for (const task of last) look(paths, seen, keyOf(task), task, cpus, !before.has(keyOf(task)));
  const end = readCounters(paths);
  return {
    windowMs: performance.now() - start,
    looks,
    cpus: timesBetween(begin, end, cpus),
    tasks: tasksSeen(seen, before, last, boundsOf(begin, end, cpus)),
    interrupts: linesBetween(begin.lines, end.lines, cpus),
    cpuInterrupts: countsBetween(begin.cpuInterrupts, end.cpuInterrupts, cpus),
    softirqs: countsBetween(begin.softirqs, end.softirqs, cpus),
  };
}

interface Seen {
  readonly task: Task;
  readonly cpus: Map<number, number>;
  lastMs: number;
}

/** Not by its name, which changes with every execve(2), and at the program's will (PR_SET_NAME). */
const keyOf = ({ tid, startTicks }: Task): string => `${tid} ${startTicks}`;

function isCandidate({ allowed, state }: Task, cpus: IndexSet): boolean {
  return state !== 'Z' && intersection(allowed, cpus).length > 0;
}

/**
 * Adds what a task ran since the last look to the CPU that it is on. All time of one that is new lies in the window; of one
 * that was there and could not run on the CPUs at first, nothing is known of where it was until now.
 */
function look(paths: HostPaths, seen: Map<string, Seen>, key: string, task: Task, cpus: IndexSet, isNew = false): void {
  const time = readTaskTime(paths, task.pid, task.tid);
  if (time?.startTicks !== task.startTicks) return;
  const known = seen.get(key);
  const one = known ?? { task, cpus: new Map(), lastMs: isNew ? 0 : time.ranMs };
  if (known === undefined) seen.set(key, one);
  const ran = time.ranMs - one.lastMs;
  one.lastMs = time.ranMs;
  if (ran <= 0 || !cpus.includes(time.cpu)) return;
  one.cpus.set(time.cpu, (one.cpus.get(time.cpu) ?? 0) + ran);
}

function tasksSeen(
  seen: ReadonlyMap<string, Seen>,
  before: ReadonlyMap<string, Task>,
  last: readonly Task[],
  bounds: ReadonlyMap<number, number>,
): TaskActivity[] {
  const after = new Map(last.map((task) => [keyOf(task), task]));
  const scale = scaleOf(seen, bounds);
  return [...seen]
    .map(
      ([key, { task, cpus }]) => [key, task, new Map([...cpus].map(([cpu, ran]) => [cpu, ran * scale(cpu)]))] as const,
    )
    .map(([key, task, cpus]) => ({
      task: after.get(key) ?? task,
      ranMs: [...cpus.values()].reduce((sum, ran) => sum + ran, 0),
      cpus,
      involuntary: Number((after.get(key) ?? task).involuntary - (before.get(key)?.involuntary ?? 0n)),
    }))
    .filter(({ ranMs, involuntary }) => ranMs > 0 || involuntary > 0)
    .sort((a, b) => b.ranMs - a.ranMs);
}

/** How long a CPU ran tasks, as the scheduler counted it; for those of which it did not, nothing is said. */
function boundsOf(before: Counters, after: Counters, cpus: IndexSet): ReadonlyMap<number, number> {
  return new Map(
    cpus.flatMap((cpu): [number, number][] => {
      const [from, to] = [before.queues?.get(cpu), after.queues?.get(cpu)];
      return from && to ? [[cpu, Number(to.ranNs - from.ranNs) / 1e6]] : [];
    }),
  );
}

/** A task that moved between two looks had part of its time elsewhere: a CPU gave no more than it ran. */
function scaleOf(seen: ReadonlyMap<string, Seen>, bounds: ReadonlyMap<number, number>): (cpu: number) => number {
  const sums = new Map<number, number>();
  for (const { cpus } of seen.values()) for (const [cpu, ran] of cpus) sums.set(cpu, (sums.get(cpu) ?? 0) + ran);
  return (cpu) => {
    const [sum = 0, bound] = [sums.get(cpu), bounds.get(cpu)];
    return bound === undefined || sum <= bound ? 1 : bound / sum;
  };
}

interface Counters {
  readonly times: ReadonlyMap<number, CpuTimes>;
  readonly queues: ReadonlyMap<number, CpuQueue> | undefined;
  readonly lines: ReturnType<typeof parseInterrupts>;
  readonly cpuInterrupts: CountsByCpu;
  readonly softirqs: CountsByCpu;
}

function readCounters(paths: HostPaths): Counters {
  return {
    times: readCpuTimes(paths),
    queues: readCpuQueues(paths),
    lines: parseInterrupts(readIfThere(`${paths.proc}/interrupts`) ?? ''),
    cpuInterrupts: readCpuInterrupts(paths),
    softirqs: readSoftirqs(paths),
  };
}

function timesBetween(before: Counters, after: Counters, cpus: IndexSet): ReadonlyMap<number, CpuActivity> {
  const found = new Map<number, CpuActivity>();
  for (const cpu of cpus) {
    const [from, to] = [before.times.get(cpu), after.times.get(cpu)];
    if (from === undefined || to === undefined) continue;
    const [waitedFrom, waitedTo] = [before.queues?.get(cpu), after.queues?.get(cpu)];
    found.set(cpu, {
      tasks: to.tasks - from.tasks,
      interrupts: to.interrupts - from.interrupts,
      // The kernel's count of waiting for disks can run backwards (proc_stat(5)).
      idle: Math.max(to.idle - from.idle, 0),
      steal: to.steal - from.steal,
      queue: waitedFrom &&
        waitedTo && {
          ranNs: waitedTo.ranNs - waitedFrom.ranNs,
          waitedNs: waitedTo.waitedNs - waitedFrom.waitedNs,
          turns: waitedTo.turns - waitedFrom.turns,
        },
    });
  }
  return found;
}

function linesBetween(before: Counters['lines'], after: Counters['lines'], cpus: IndexSet): LineActivity[] {
  return [...after].flatMap(([number, { name, counts }]) => {
    const moved = cpus
      .map((cpu) => [cpu, (counts.get(cpu) ?? 0) - (before.get(number)?.counts.get(cpu) ?? 0)] as const)
      .filter(([, count]) => count > 0);
    return moved.length === 0 ? [] : [{ number, name, counts: new Map(moved) }];
  });
}

function countsBetween(before: CountsByCpu, after: CountsByCpu, cpus: IndexSet): ReadonlyMap<string, number> {
  const sums = [...after].map(([name, counts]) => {
    const sum = cpus.reduce((all, cpu) => all + (counts.get(cpu) ?? 0) - (before.get(name)?.get(cpu) ?? 0), 0);
    return [name, sum] as const;
  });
  return new Map(sums.filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]));
}
