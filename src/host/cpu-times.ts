import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

/** Milliseconds since boot that a CPU spent (proc_stat(5)). Their precision is that of the kernel's tick, 10 ms. */
export interface CpuTimes {
  /** Tasks: user, nice and system. */
  readonly tasks: number;
  readonly interrupts: number;
  /** With waiting for disks. */
  readonly idle: number;
  /** Taken by the hypervisor. */
  readonly steal: number;
}

/** What the scheduler counted on a CPU since boot. */
export interface CpuQueue {
  readonly ranNs: bigint;
  /** How long tasks that could have run were waiting for it. */
  readonly waitedNs: bigint;
  /** How many turns tasks had. */
  readonly turns: bigint;
}

/** Rows of names with a count for each CPU. */
export type CountsByCpu = ReadonlyMap<string, ReadonlyMap<number, number>>;

// The unit of /proc/stat and /proc/PID/stat is USER_HZ, which is 100 on all that Linux runs on but Alpha and ia64.
export const TICK_MS = 10;

export function readCpuTimes({ proc }: HostPaths): ReadonlyMap<number, CpuTimes> {
  const rows = (readIfThere(`${proc}/stat`) ?? '').matchAll(/^cpu(\d+) (.*)$/gm);
  return new Map(
    [...rows].map(([, cpu, text = '']) => {
      const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = text
        .split(' ')
        .map((field) => Number(field) * TICK_MS);
      return [
        Number(cpu),
        { tasks: user + nice + system, interrupts: irq + softirq, idle: idle + iowait, steal },
      ] as const;
    }),
  );
}

/** Versions of /proc/schedstat whose rows of CPUs have these columns (Documentation/scheduler/sched-stats.rst). */
const KNOWN_VERSIONS = new Set([15, 16, 17]);

/** Undefined where the kernel does not count (CONFIG_SCHEDSTATS), or in a form that is not known here. */
export function readCpuQueues({ proc }: HostPaths): ReadonlyMap<number, CpuQueue> | undefined {
  const text = readIfThere(`${proc}/schedstat`) ?? '';
  const version = Number(/^version (\d+)$/m.exec(text)?.[1] ?? 0);
  if (!KNOWN_VERSIONS.has(version)) return undefined;
  return new Map(
    [...text.matchAll(/^cpu(\d+) (.*)$/gm)].map(([, cpu, row = '']) => {
      const [ranNs = 0n, waitedNs = 0n, turns = 0n] = row.trim().split(/\s+/).slice(6).map(BigInt);
      return [Number(cpu), { ranNs, waitedNs, turns }] as const;
    }),
  );
}

/** `TIMER`, `NET_RX`, `SCHED`… */
export function readSoftirqs({ proc }: HostPaths): CountsByCpu {
  return parseCounts(readIfThere(`${proc}/softirqs`) ?? '');
}

/** The rows of /proc/interrupts that are no device's: `LOC` for timers, `RES`, `CAL`, `TLB`… */
export function readCpuInterrupts({ proc }: HostPaths): CountsByCpu {
  return parseCounts(readIfThere(`${proc}/interrupts`) ?? '');
}

/** Rows that begin with a letter; those with one count for the whole machine (`ERR`, `MIS`) are left out. */
export function parseCounts(text: string): CountsByCpu {
  const [head = '', ...rows] = text.split('\n');
  const cpus = [...head.matchAll(/CPU(\d+)/g)].map(([, cpu]) => Number(cpu));
  const found = new Map<string, ReadonlyMap<number, number>>();
  for (const row of rows) {
    const [, name, rest = ''] = /^\s*([A-Z]\w*):(.*)$/.exec(row) ?? [];
    const counts = /^(?:\s+\d+)*/.exec(rest)?.[0].trim().split(/\s+/) ?? [];
    if (name === undefined || counts.length < cpus.length) continue;
    found.set(name, new Map(cpus.map((cpu, at) => [cpu, Number(counts[at])])));
  }
  return found;
}

/** How long a task has run and where it was last; undefined where it is gone. */
export interface TaskTime {
  /** As that of a `Task`: its number may be another one's by now. */
  readonly startTicks: bigint;
  readonly cpu: number;
  readonly ranMs: number;
}

/** Of one thread, by the scheduler's own count where the kernel has it, else by ticks. */
export function readTaskTime({ proc }: HostPaths, pid: number, tid: number): TaskTime | undefined {
  const folder = `${proc}/${pid}/task/${tid}`;
  const stat = readIfThere(`${folder}/stat`);
  if (!stat) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [ranNs] = (readIfThere(`${folder}/schedstat`) ?? '').split(' ');
  const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  return {
    startTicks: BigInt(fields[19] ?? 0),
    cpu: Number(fields[36] ?? 0),
    ranMs: ranNs ? Number(ranNs) / 1e6 : ticks * TICK_MS,
  };
}
