import type { PartitionType } from '../model.ts';

/** A property that holds a set, and the kernel's files behind it. */
export type SetName = 'AllowedCPUs' | 'AllowedMemoryNodes';

/**
 * Of `cpus.unit`: gives a loaded unit its set at once and proves it. All sets as the kernel prints them, empty for none.
 */
export interface UnitParameters {
  readonly unit: string;
  readonly name: SetName;
  readonly before: string;
  /** Empty: it gets `all`, explicitly; what systemd keeps of that goes with the reload that has to follow. */
  readonly after: string;
  readonly all: string;
}

/**
 * Of `cpus.later`: slices that got a set from a drop-in of all slices, also since the plan was made. With `after` empty
 * or another set it looks for all slices that still have `before` and gives them what their files say now, or `all`.
 * Taken back, the same for those that have `after`.
 */
export interface LaterParameters {
  readonly before: string;
  readonly after: string;
  readonly all: string;
  /** There for the way back alone: stands before the files, so that it is taken back when these have gone. */
  readonly onlyBack?: boolean;
  /** Units that these files give sets of their own, which a reload brings before their step does. */
  readonly units?: readonly { readonly unit: string; readonly cpus: string }[];
}

/** Of `cpus.group`: a top-level group that systemd did not make. */
export interface GroupParameters {
  /** Below the mounted tree: `/docker`. */
  readonly path: string;
  readonly before: string;
  readonly after: string;
  readonly all: string;
  /** Whether it is made where it is not there. */
  readonly make?: boolean;
}

/** Of `cpus.partition`. */
export interface PartitionParameters {
  readonly unit: string;
  readonly cpus: string;
  readonly before: 'member' | PartitionType;
  readonly after: 'member' | PartitionType;
}

/** Of `cpus.kernel`: files of the kernel that hold a list or a mask of CPUs. */
export interface KernelParameters {
  readonly form: 'list' | 'mask';
  readonly writes: readonly {
    readonly path: string;
    /** As the plan found it, in the file's own form. */
    readonly before: string;
    readonly after: string;
  }[];
}

/**
 * Of `cpus.threads`: where kernel threads that can be moved may run. Those with the set of `before` get that of `after`,
 * and others their part of it, but for `own` ones, which get what is said of them.
 */
export interface ThreadsParameters {
  readonly before: string;
  readonly after: string;
  readonly own: readonly { readonly tid: number; readonly name: string; readonly after: string }[];
}

/** Of `cpus.before`: what the file says of the time before kernel settings were changed; null for no file. */
export interface BeforeParameters {
  readonly text: string | null;
}

/**
 * Of `cpus.isolated`: once nothing is reserved, tasks that may run everywhere are kept off the CPUs of `isolcpus=`, where
 * they had not been before cpusets came. Either when it is carried out or when it is taken back.
 */
export interface IsolatedParameters {
  readonly isolated: string;
  readonly when: 'forward' | 'back';
  /** Groups of units that an administrator lets run everywhere. */
  readonly except: readonly string[];
}

/** Of `cpus.cure`: tasks of a unit that are narrower than their group, left so by somebody. */
export interface CureParameters {
  readonly unit: string;
  /** What the unit gets where it asks for no CPUs of its own. */
  readonly all: string;
}

/** Of `cpus.unleak`: CPUs that belong to no group any more. */
export interface UnleakParameters {
  readonly cpus: string;
  /** What units get that ask for no CPUs of their own. */
  readonly all: string;
}

/** Of the check `cpus.held`: no user task but those named may run on the payload CPUs. */
export interface HeldExpectation {
  readonly payload: string;
  /** Names of units and paths of groups, with all that is in them, separated by blanks. */
  readonly except: string;
}

/** Of the check `cpus.wide`: no task is left on these CPUs alone while its group has more. */
export interface WideExpectation {
  readonly cpus: string;
}

/** Of the check `cpus.unleased`: no job but those within this reservation has some of the CPUs for itself, and they no others. */
export interface UnleasedExpectation {
  readonly cpus: string;
  readonly within: string;
}
