/** What lies at a path, link followed: nothing, or a regular file. Bytes, since not every configuration is UTF-8. */
export type FileState = AbsentFile | PresentFile;

export interface AbsentFile {
  readonly exists: false;
}

export interface PresentFile {
  readonly exists: true;
  readonly bytes: Uint8Array;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Which systemd a step speaks to: PID 1, or the manager of the user who runs slicectl. */
export type StepManager = 'system' | 'user';

/**
 * Writes, replaces or removes one file. Where the file exists, its owner, mode, xattrs and a link that leads to it are
 * kept; where it does not, missing folders above it are made.
 */
export interface FileStep {
  readonly kind: 'file';
  /** Absolute, below the plan's root, as the program that reads the file names it. */
  readonly path: string;
  /** Where `path` leads when it or a folder above it is a link, below the plan's root; else equal to `path`. */
  readonly target: string;
  readonly before: FileState;
  readonly after: FileState;
  /** Of a step that removes its file: folders that go too when they hold nothing else then, topmost first. */
  readonly folders?: readonly string[];
}

/** `daemon-reload`: after unit files and drop-ins have changed. */
export interface ReloadStep {
  readonly kind: 'reload';
  readonly manager: StepManager;
}

/** A job for a unit, awaited. `reload` makes the unit read its configuration again (SIGHUP for most). */
export interface UnitStep {
  readonly kind: 'unit';
  readonly manager: StepManager;
  readonly unit: string;
  readonly verb: 'start' | 'stop' | 'restart' | 'reload';
  /** Units whose failed state and start limit are reset before the job, such as docker.service and docker.socket. */
  readonly reset?: readonly string[];
}

/** Resets the failed state and start limit of a unit. */
export interface ResetFailedStep {
  readonly kind: 'reset-failed';
  readonly manager: StepManager;
  readonly unit: string;
}

/** Something that must be true now. What `check` means is known to the {@link CheckTable} that apply and undo are given. */
export interface CheckStep {
  readonly kind: 'check';
  readonly check: string;
  /** What must be found after the change, in the words of the check. */
  readonly expect: Readonly<Record<string, string>>;
  /** What must be found after an undo; without it an undo does not check this. */
  readonly expectBefore?: Readonly<Record<string, string>>;
  /** The claim of {@link expectBefore}, as `purpose` is that of `expect`: `Docker says that its driver is cgroupfs`. */
  readonly purposeBefore?: string;
}

/**
 * Something that a layer above knows how to do and to take back, such as giving a slice its CPUs and proving it. What
 * `action` means is known to the {@link ActionTable} that apply and undo are given.
 */
export interface ActionStep {
  readonly kind: 'action';
  readonly action: string;
  /** Plain data, in the words of the action. */
  readonly parameters: Parameters;
  /** In a few words: `confine system.slice to CPUs 0-3`. */
  readonly does: string;
  /** What taking it back does: `give system.slice all CPUs again`. */
  readonly doesBack: string;
  /** For the preview, a line each: what changes, before and after. */
  readonly details?: readonly string[];
  /** What it changes, so that no undo pulls it away under a later change: `AllowedCPUs of system.slice`. */
  readonly subjects: readonly string[];
}

/** Of an {@link ActionStep}, and the facts that it notes: what JSON can hold. */
export type Parameters = Readonly<Record<string, unknown>>;

export type Step = (FileStep | ReloadStep | UnitStep | ResetFailedStep | CheckStep | ActionStep) & {
  /** What the step is for, one line: `Docker's cgroup driver`. Of a check what must be true: `Docker reports systemd`. */
  readonly purpose: string;
};

/** Why the plan must not be carried out as things are. */
export interface Refusal {
  readonly reason: string;
  /** The way out. */
  readonly hint?: string;
  /** The option that allows it all the same, such as `--drained`; without it nothing does. */
  readonly override?: string;
  /** Set where it is a configuration file that is wrong and has to be mended first. */
  readonly fault?: true;
}

/** What the reader should know before saying yes. */
export interface PlanNote {
  readonly severity: 'impact' | 'warning' | 'info';
  readonly text: string;
  /** Names that the text is about, one a line: containers, pods, units. */
  readonly items?: readonly string[];
}

/** A lasting change as data: made from facts by pure functions, printed, and carried out as printed. */
export interface Plan {
  /** One line for the history: `align cgroup drivers to systemd`. */
  readonly title: string;
  /** `/`, or the tree of `--root`, in which nothing runs: such a plan has only file steps. */
  readonly root: string;
  /** In the order in which they are done; an empty list means that all is as asked already. */
  readonly steps: readonly Step[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

export interface CheckResult {
  readonly ok: boolean;
  /** What was found, in one sentence. */
  readonly found: string;
}

/** What the checks of plans mean. A check waits by itself for what takes time, up to a deadline of its own. */
export type CheckTable = Readonly<
  Record<string, (expect: Readonly<Record<string, string>>, root: string) => Promise<CheckResult>>
>;

/** How an action is carried out and taken back. Each part may be repeated after an interruption, also after a reboot. */
export interface Action {
  /** `E_CHANGED` where things are no longer as the plan found them. Changes nothing. */
  assertAsPlanned(parameters: Parameters): Promise<void>;
  /** What has to be known of the time before, to take it back. Changes nothing. */
  facts(parameters: Parameters): Promise<Parameters>;
  /** Rejects unless what was asked holds afterwards. Gives what has to be known beside the facts to take it back. */
  carryOut(parameters: Parameters, facts: Parameters): Promise<Parameters | undefined>;
  /** Also where it was carried out in part. Leaves what somebody changed since, and rejects with `E_CHANGED`. */
  takeBack(parameters: Parameters, facts: Parameters): Promise<void>;
}

/** What the actions of plans mean. */
export type ActionTable = Readonly<Record<string, Action>>;
