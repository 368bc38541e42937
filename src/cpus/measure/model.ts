import type { IndexSet } from '../../core/cpuset.ts';
import type { Distribution } from './distribution.ts';

export type CpuRole = 'payload' | 'system';

/** A CPU that gets a probe, and where the probe is put. */
export interface Target {
  readonly cpu: number;
  readonly role: CpuRole;
  /** The slice in which processes may use the CPU; undefined: where slicectl itself is. */
  readonly slice: string | undefined;
}

/** What a probe found that had a CPU to wake up on. Times are nanoseconds. */
export interface ProbeResult {
  readonly cpu: number;
  /** How late it woke up, for each deadline; deadlines that passed while it was late count with what they waited. */
  readonly late: Distribution;
  /** The largest time between two readings of the clock, one right after the other, and how long it read. */
  readonly gap: { readonly largestNs: number; readonly watchedNs: number };
  readonly floor: ProbeFloor;
  /** How often the kernel took the CPU from the probe for another task; and how long it was ready and waited. */
  readonly involuntary: number;
  readonly waitNs: number | undefined;
  /** CPU time of the probe itself. Like `waitNs` undefined on kernels that do not count it. */
  readonly ownNs: number | undefined;
  /** Garbage collections that came while it measured, each of them a delay of the probe's own. */
  readonly collections: number;
  /** `normal` or `fifo 80`, as the kernel has it. */
  readonly scheduling: string;
  /** As the kernel has it at the end: one other than the one it was pinned to means that somebody moved it. */
  readonly allowed: IndexSet;
  readonly cgroup: string;
}

/** What the probe cannot tell from its own cost, found out on the same CPU just before. */
export interface ProbeFloor {
  /** Reading the clock once, at best. */
  readonly clockNs: number;
  /** The earliest wake-up after a deadline. */
  readonly wakeNs: number;
  /** By how much the kernel may put off its timers (PR_SET_TIMERSLACK); 0 for real-time tasks. */
  readonly slackNs: number;
}

/** What else went on at one CPU. */
export interface CpuSurroundings {
  readonly cpu: number;
  /** Device interrupts by name, the most frequent first. */
  readonly devices: readonly Counted[];
  /** Interrupts of the CPU itself: LOC, RES, CAL, TLB… */
  readonly local: readonly Counted[];
  readonly softirqs: readonly Counted[];
  /** Share of the time, 0 to 1, in which it was not idle; the probe's own is in it. */
  readonly busy: number;
  /** Share in which a hypervisor had taken it away. */
  readonly steal: number;
  /** Other threads of its core. */
  readonly siblings: readonly { readonly cpu: number; readonly busy: number }[];
  /** Undefined where the kernel does not scale frequencies. */
  readonly governor: string | undefined;
  /** The deepest idle state that is not disabled, and how long the hardware may take to leave it. */
  readonly idle: { readonly name: string; readonly exitUs: number } | undefined;
}

export interface Counted {
  readonly name: string;
  readonly count: number;
}

/** What holds for the whole machine, and what it cannot show. */
export interface MachineSurroundings {
  readonly kernel: string;
  /** `KVM`, `a hypervisor`…; undefined on hardware, as far as can be seen. */
  readonly virtual: string | undefined;
  readonly clocksource: string | undefined;
  /** Whether the kernel is one with PREEMPT_RT. */
  readonly isRealtime: boolean;
  /** Load averages of the last minute, at the beginning and at the end. */
  readonly load: readonly [before: number, after: number];
  readonly cpusOnline: number;
}

/** Of another program, which ran after the probes at the same places. */
export interface ToolResult {
  /** `cyclictest`, `rtla timerlat`. */
  readonly name: string;
  readonly command: readonly string[];
  readonly cpus: readonly MeasuredCpu[];
}

export interface MeasuredCpu {
  readonly cpu: number;
  readonly late: Distribution;
}

export interface CpuMeasurement extends ProbeResult {
  readonly role: CpuRole;
  readonly around: CpuSurroundings;
}

/** One measurement, as it is printed, saved and compared. */
export interface Measurement {
  readonly version: 1;
  /** ISO 8601, when it began. */
  readonly taken: string;
  readonly seconds: number;
  readonly intervalUs: number;
  /** Wake-ups later than this are counted. */
  readonly limitUs: number;
  /** The reservation that was measured; undefined where there is none. */
  readonly reservation: string | undefined;
  readonly machine: MachineSurroundings;
  readonly cpus: readonly CpuMeasurement[];
  readonly tools: readonly ToolResult[];
  /** What was asked for and could not be had, sentence by sentence. */
  readonly notes: readonly string[];
}
