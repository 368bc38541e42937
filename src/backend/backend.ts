import type { AskedLimits } from '../core/limits.ts';
import type { DbusProperty, LimitName, Limits } from '../core/properties/row.ts';
import type { ControlFiles } from '../host/control-files.ts';

export type BackendKind = 'systemd' | 'cgroup-v2' | 'cgroup-v1';

/** What the caller wants a group for. */
export interface GroupRequest {
  readonly limits: AskedLimits;
  /** A slice to put the job in (`build.slice`, `a-b.slice`); on plain cgroups the folders `a.slice/a-b.slice`. */
  readonly slice: string | undefined;
  /** Lets `slice` lie below the slice that the caller is in. */
  readonly sliceInherit: boolean;
  /** The unit's name with or without suffix; made up where undefined. */
  readonly unit: string | undefined;
  readonly description: string;
  /** What cannot be had is left out with a note instead of an error. */
  readonly bestEffort: boolean;
}

/** Something the user should know about what will be or was done: a rounding, a limit left out. */
export interface Note {
  readonly limit?: LimitName;
  readonly text: string;
}

/** A D-Bus call to systemd's manager that makes a unit, and with it the auxiliary ones. */
export interface CallStep {
  readonly do: 'call';
  readonly interface: string;
  readonly member: string;
  readonly unit: string;
  readonly mode: string;
  readonly properties: readonly DbusProperty[];
  readonly auxiliary: readonly { readonly unit: string; readonly properties: readonly DbusProperty[] }[];
  /** The property PIDs with the gated command goes along. */
  readonly takesJob?: boolean;
}

/** One thing that placing a job does, as it is done. */
export type Step =
  | CallStep
  | { readonly do: 'make'; readonly path: string }
  | { readonly do: 'write'; readonly path: string; readonly text: string }
  | { readonly do: 'move'; readonly path: string; readonly what: string };

/** What will be done for a job: data, made by reading only, printed by a dry run and carried out as it stands. */
export interface Plan extends SettledLimits {
  readonly kind: BackendKind;
  readonly unit: string | undefined;
  readonly description: string;
  readonly steps: readonly Step[];
}

/** How the manager of the group says that it ended: systemd's Result words. */
export type Ending = 'success' | 'timeout' | 'oom-kill' | 'resources' | 'signal' | 'exit-code' | 'core-dump' | string;

/** Limits as they are sent, after rounding and without what is left out. */
export interface SettledLimits {
  readonly limits: Limits;
  /** `MAJ:MIN` behind each device path that the limits name. */
  readonly devices: ReadonlyMap<string, string>;
  readonly notes: readonly Note[];
}

/** A group that holds one job. */
export interface Group {
  readonly kind: BackendKind;
  readonly unit: string | undefined;
  /** The control files of the group that carries the job's limits; readable until {@link Group.remove}. */
  readonly files: ControlFiles;
  /** The control files of the group that the job's processes are in: the same, or a group below it that can vanish first. */
  readonly leaf: ControlFiles;
  /** Whether the process is in the group or below it. */
  contains(pid: number): boolean;
  /** Pids in the group and below it. */
  processes(): readonly number[];
  /** Changes limits of the running job; what is not named stays. */
  set(limits: AskedLimits): Promise<SettledLimits>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Signals every process of the group. SIGKILL returns when no process that can be killed is left. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Resolves when no process is left in the group. */
  whenEmpty(signal?: AbortSignal): Promise<void>;
  /** Why the group ended, as far as its manager says; asked once, after the job's first process ended. */
  ending(): Promise<Ending>;
  /** Removes the empty group; with processes left in it, it stays, under its limits, and the answer is false. */
  remove(): Promise<boolean>;
}

/** A command that systemd itself is to start. */
export interface ServiceRequest extends GroupRequest {
  /** The program's file, absolute; `argv` begins with the name it is called by. */
  readonly file: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** `NAME=value`, besides what systemd sets for every service. */
  readonly env: readonly string[];
  readonly uid: string | undefined;
  readonly gid: string | undefined;
  readonly nice: number | undefined;
  /** A file that stands for the caller's standard output and error; undefined for the journal. */
  readonly output: { readonly stdout: string; readonly stderr: string } | undefined;
  /** Lets systemd expand `$NAME` and `${NAME}` in the arguments (systemd.service(5)). */
  readonly expandEnvironment: boolean;
  /** The caller waits for its end and removes the slice; otherwise systemd does. */
  readonly isAwaited: boolean;
}

/** How a service's main process ended. */
export interface ServiceEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the start of the main process to its end, by systemd's clock. */
  readonly ranUsec: bigint;
}

/** A service that runs. */
export interface StartedService {
  readonly group: Group;
  readonly mainPid: number;
  /** Resolves when the service has ended, over restarts of the manager; undefined for one that is not awaited. */
  readonly ended: Promise<ServiceEnd> | undefined;
}

/** Jobs that systemd starts, and that outlive slicectl. */
export interface Services {
  plan(request: ServiceRequest): Promise<Plan>;
  /** Makes the job's slice alone, so that its limits can be proved before anything runs. */
  makeSlice(plan: Plan): Promise<ControlFiles>;
  start(plan: Plan): Promise<StartedService>;
  /** Takes a slice back whose service was not started. */
  drop(plan: Plan): Promise<void>;
}

/** One way to hold jobs. All of them answer the same contract suite. */
export interface Backend {
  readonly kind: BackendKind;
  /** `systemd 257`, `cgroup v2`… for messages and receipts. */
  readonly label: string;
  /** Reads the host and says what placing the job will do; changes nothing. */
  plan(request: GroupRequest): Promise<Plan>;
  /** Makes the group, gives it its limits, and moves the process into it. Undoes its own traces when it fails. */
  place(plan: Plan, pid: number): Promise<Group>;
  /** Where systemd can start the command itself. */
  readonly services?: Services;
  /** Removes what makers that were killed left behind, empty groups only; the names of what went. */
  sweep(): Promise<readonly string[]>;
  close(): void;
}
