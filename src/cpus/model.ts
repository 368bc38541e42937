import type { IndexSet } from '../core/cpuset.ts';
import type { CgroupLayout } from '../host/cgroups.ts';
import type { Interrupts, Movability, Workqueues } from '../host/interrupts.ts';
import type { KernelLine } from '../host/kernel-line.ts';
import type { ManagerAffinity } from '../host/manager-affinity.ts';
import type { Task } from '../host/tasks.ts';
import type { Topology } from '../host/topology.ts';
import type { GroupTree } from './groups.ts';
import type { KernelBefore } from './kernel-before.ts';
import type { KubeletCpus } from './kubelet/read.ts';
import type { Reservation } from './roles.ts';
import type { UnitCpus } from './units.ts';
import type { Unmoved } from './unmoved.ts';

/** `root`: its CPUs leave all other groups. `isolated`: and the scheduler does not balance them (cgroup-v2.rst). */
export type PartitionType = 'root' | 'isolated';

/** A reservation as slicectl wrote it down. Its name is that of the payload slice. */
export interface ReservationRecord extends Reservation {
  /** Memory nodes of the payload slice; empty where its memory may be anywhere. */
  readonly memoryNodes: IndexSet;
  /** Top-level slices that stay as they are. */
  readonly keep: readonly string[];
  /**
   * Top-level groups that systemd does not make, such as `/docker`: at boot they are made before whoever uses them runs,
   * so that nobody begins there with all CPUs.
   */
  readonly groups: readonly string[];
  readonly partition: PartitionType | undefined;
  /** Whether device interrupts, unbound workqueues and movable kernel threads are kept on system CPUs too. */
  readonly interrupts: boolean;
  readonly workqueues: boolean;
  readonly kernelThreads: boolean;
  /** Whether the kubelet rules the payload CPUs: its static policy gives them to pods. */
  readonly kubelet: boolean;
  /** Until reboot. */
  readonly runtime: boolean;
  /** The unit with whose end it is released. */
  readonly whileUnit: string | undefined;
}

/** What is known of the host before its CPUs are divided, all read at one time. */
export interface CpuFacts {
  readonly topology: Topology;
  readonly kernelLine: KernelLine;
  /** Of the configuration of systemd itself; {@link managerCpus} has what counts. */
  readonly managerAffinity: ManagerAffinity | undefined;
  /** `6.12.107` → `[6, 12]`. */
  readonly kernel: readonly [major: number, minor: number];
  /** 257; undefined where systemd does not run or its bus does not answer. */
  readonly systemd: number | undefined;
  /** Undefined where no cpuset hierarchy is mounted. */
  readonly groups: GroupTree | undefined;
  /**
   * All loaded slices, init.scope, all loaded services and scopes with AllowedCPUs or CPUAffinity; and slices that are
   * not loaded but whose files set AllowedCPUs, with `activeState` inactive.
   */
  readonly units: readonly UnitFacts[];
  readonly tasks: readonly Task[];
  readonly interrupts: Interrupts;
  /** What the kernel says of moving the lines, by number; without those that have no affinity. */
  readonly movability: ReadonlyMap<number, Movability>;
  /** Lines that it did not move when it was told to. */
  readonly unmoved: readonly Unmoved[];
  readonly workqueues: Workqueues | undefined;
  /** What these and kernel threads had before, as slicectl wrote it down. */
  readonly kernelBefore: KernelBefore;
  readonly kubelet: KubeletCpus | undefined;
  readonly records: readonly ReservationRecord[];
  readonly cgroups: CgroupLayout['mode'];
  /** Whether the unified hierarchy has the cpuset controller here: in a container it may be missing. */
  readonly hasCpuset: boolean;
  /** Undefined where it is not installed. */
  readonly irqbalance: IrqbalanceFacts | undefined;
  readonly boot: BootFacts;
}

export interface IrqbalanceFacts {
  readonly isRunning: boolean;
  /** CPUs that others than slicectl tell it to leave alone. */
  readonly banned: IndexSet;
}

/** What brings back at boot what systemd cannot keep: `slicectl-cpus.service`. */
export interface BootFacts {
  /** Whether a package or an administrator installed the unit. */
  readonly isInstalled: boolean;
  /** The text of the unit that slicectl wrote, where it did. */
  readonly ownText: string | undefined;
  /** Likewise of the unit that runs when a payload slice starts anew. */
  readonly againText: string | undefined;
  /** The words that start this slicectl, the file of the program absolute. */
  readonly program: readonly string[];
}

export interface UnitFacts extends UnitCpus {
  /** AllowedCPUs as others than slicectl set it; empty where they did not. */
  readonly given: IndexSet;
  /** AllowedMemoryNodes likewise. */
  readonly givenNodes: IndexSet;
  /** Below the mounted tree: `/system.slice`; empty for a unit without a group. */
  readonly cgroup: string;
  /** The slice it is in; empty for `-.slice`. */
  readonly slice: string;
  /** Whether it has no file that outlives it. */
  readonly isTransient: boolean;
  /** AllowedMemoryNodes; empty where it is not set. */
  readonly memoryNodes: IndexSet;
  /** Files by which its settings came, in systemd's order. */
  readonly dropIns: readonly string[];
}

/** How each place must be while the reservations hold. Pure data, made by `wantedFor`. */
export interface Wanted {
  /** Includes CPUs that are offline, so that they are among them when they come. */
  readonly system: IndexSet;
  /** What there is to divide: all possible CPUs, without those of `isolcpus=`. */
  readonly all: IndexSet;
  /** What an undo of everything widens to: all possible CPUs, so that who is pinned to any has it again. */
  readonly open: IndexSet;
  /** Top-level slices that get no CPUs of ours: those of `--keep`, and that of the kubelet's pods. */
  readonly left: readonly string[];
  /** Drop-ins and further files. What lies there beside them and is ours, is not wanted. */
  readonly files: readonly WantedFile[];
  readonly units: readonly WantedUnit[];
  /** Top-level groups that systemd did not make, such as `/docker` of Docker's cgroupfs driver. */
  readonly groups: readonly WantedGroup[];
  readonly partitions: readonly { readonly unit: string; readonly type: PartitionType }[];
  /** Where device interrupts, unbound workqueues and movable kernel threads may be; undefined where nobody asked. */
  readonly interrupts: IndexSet | undefined;
  readonly workqueues: IndexSet | undefined;
  readonly kernelThreads: IndexSet | undefined;
}

export interface WantedFile {
  readonly path: string;
  readonly text: string;
  /** One line: `slices that come later are confined too`. */
  readonly purpose: string;
}

/** A loaded unit, and its CPUs. Empty sets: as if nobody had set any. */
export interface WantedUnit {
  readonly unit: string;
  readonly role: 'system' | 'payload';
  readonly cpus: IndexSet;
  readonly memoryNodes: IndexSet;
}

export interface WantedGroup {
  /** Below the mounted tree. */
  readonly path: string;
  readonly cpus: IndexSet;
}
