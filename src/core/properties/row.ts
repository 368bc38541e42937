import type { IndexSet } from '../cpuset.ts';
import type { Amount, Machine } from '../quantity.ts';

/** A kernel controller. cgroup v1 calls `io` `blkio`, and counts CPU time in `cpuacct`. */
export type Controller = 'cpu' | 'cpuset' | 'memory' | 'io' | 'pids' | 'blkio' | 'cpuacct' | 'freezer';

/** A bound for one block device; `device` is what the user wrote, or `MAJ:MIN` when read from the kernel. */
export interface DeviceAmount {
  readonly device: string;
  readonly amount: Amount;
}

export type OomPolicy = 'continue' | 'stop' | 'kill';

/** The typed values of all limits, by systemd's names. */
export interface Limits {
  /** CPU time per second of wall time, in microseconds: one whole CPU is 1000000. */
  readonly CPUQuota?: Amount;
  /** Microseconds. */
  readonly CPUQuotaPeriodSec?: bigint;
  /** 1 to 10000, or `idle`. */
  readonly CPUWeight?: bigint | 'idle';
  readonly AllowedCPUs?: IndexSet;
  readonly AllowedMemoryNodes?: IndexSet;
  /** Bytes, as are the other Memory values. */
  readonly MemoryMin?: Amount;
  readonly MemoryLow?: Amount;
  readonly MemoryHigh?: Amount;
  readonly MemoryMax?: Amount;
  readonly MemorySwapMax?: Amount;
  readonly MemoryZSwapMax?: Amount;
  readonly TasksMax?: Amount;
  /** 1 to 10000. */
  readonly IOWeight?: bigint;
  readonly IODeviceWeight?: readonly DeviceAmount[];
  /** Bytes per second. */
  readonly IOReadBandwidthMax?: readonly DeviceAmount[];
  readonly IOWriteBandwidthMax?: readonly DeviceAmount[];
  /** Operations per second. */
  readonly IOReadIOPSMax?: readonly DeviceAmount[];
  readonly IOWriteIOPSMax?: readonly DeviceAmount[];
  /** Microseconds. */
  readonly IODeviceLatencyTargetSec?: readonly DeviceAmount[];
  /** Microseconds. */
  readonly RuntimeMaxSec?: Amount;
  /** Microseconds between SIGTERM and SIGKILL when a limit of time ends the job. */
  readonly TimeoutStopSec?: Amount;
  readonly OOMPolicy?: OomPolicy;
}

export type LimitName = keyof Limits;
export type LimitValue = Exclude<Limits[LimitName], undefined>;

/** What a row needs to know of the other limits and of the host to give its files. */
export interface FileContext {
  readonly limits: Limits;
  /** `MAJ:MIN` of the whole disk behind each device path that the limits name. */
  readonly devices: ReadonlyMap<string, string>;
}

/** One text written to one file of the job's group. */
export interface FileWrite {
  readonly controller: Controller;
  readonly file: string;
  readonly text: string;
  /** Whether the file's content says that the write is in force; without it the trimmed content equals `text`. */
  readonly shows?: (content: string) => boolean;
}

/** Content of a control file of one group, or undefined where the kernel has no such file there. */
export type ReadControl = (controller: Controller, file: string) => string | undefined;

/** How a limit looks in the files of one cgroup version. */
export interface CgroupForm<V> {
  readonly controller: Controller;
  write(value: V, context: FileContext): readonly FileWrite[];
  /** The value that a group holds, undefined where it holds none or the file is absent. */
  read(read: ReadControl): V | undefined;
}

/** A D-Bus property as in `a(sv)`: name, signature, value. */
export type DbusProperty = readonly [name: string, signature: string, value: unknown];

/** A value as it will be sent, with the reason when it is not what was asked. */
export interface Settled<V> {
  readonly value: V;
  readonly note?: string;
}

/** A short option of the command line that fills the row. */
export interface Flag {
  readonly name: string;
  readonly placeholder: string;
  readonly help: string;
  parse(text: string, machine: Machine): LimitValue;
}

/**
 * One limit: everything that slicectl knows about it. Text, D-Bus and files are given by pure functions, so that
 * parsing, the D-Bus message, the cgroup files, the read-back, help and docs come from this row and nowhere else.
 */
export interface Row<V = LimitValue> {
  readonly name: LimitName;
  readonly summary: string;
  /** The unit of the typed value. */
  readonly unit: string;
  /** `group`: held by the job's group in the kernel. `job`: held by systemd, or by slicectl where there is none. */
  readonly scope: 'group' | 'job';
  /** First systemd version that takes it for the unit that slicectl puts it on. */
  readonly since: number;
  /** An example of its text, used in help and docs. */
  readonly example: string;
  readonly flags: readonly Flag[];
  /** Where systemd accepts the property and it has no effect; shown in docs and used to explain a failed proof. */
  readonly ignored: readonly string[];
  /** Systemd's text to the value. The empty text, which resets, never gets here. */
  parse(text: string, machine: Machine): V;
  /** Joins a repeated assignment with the one before it; without it the last one wins. */
  join?(before: V, next: V): V;
  print(value: V): string;
  dbus(value: V): readonly DbusProperty[];
  /** What will be sent, after the rounding that systemd (or, without a version, the kernel) would do. */
  settle?(value: V, target: { readonly systemd: number | undefined; readonly pageSize: bigint }): Settled<V>;
  readonly v2?: CgroupForm<V>;
  readonly v1?: CgroupForm<V>;
  /** How the values of the groups above bound it: the smallest one counts, the group's effective set counts, or not at all. */
  readonly ancestors: 'smallest' | 'effective' | 'devices' | 'none';
}

/** Lets rows of different value types stand in one table; a value only ever meets the row that made it. */
export function asRow<V extends LimitValue>(row: Row<V>): Row {
  return row as unknown as Row;
}
