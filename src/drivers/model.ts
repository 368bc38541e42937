import type { SystemdLink } from '../backend/systemd-link.ts';
import type { CheckTable, PlanNote, Refusal, Step, StepManager } from '../change/plan.ts';
import type { HostPaths } from '../host/paths.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { Self } from '../host/self.ts';

/** What makes the cgroups of containers: the runtime itself, or systemd at its request. */
export type CgroupDriver = (typeof CGROUP_DRIVERS)[number];

export const CGROUP_DRIVERS = ['systemd', 'cgroupfs'] as const;

/** `none` is what a rootless Docker without systemd reports. */
export type ObservedDriver = CgroupDriver | 'none';

export const RUNTIME_NAMES = [
  'docker',
  'containerd',
  'crio',
  'podman',
  'cri-dockerd',
  'kubelet',
  'k3s',
  'rke2',
  'microk8s',
] as const;

export type RuntimeName = (typeof RUNTIME_NAMES)[number];

/** Where a value comes from, exactly enough to go there. */
export interface Source {
  readonly kind: 'file' | 'flag' | 'environment' | 'default' | 'runtime';
  /** The file that holds it; a flag has the unit file, drop-in or environment file where it is written. */
  readonly path?: string;
  /** From 1. */
  readonly line?: number;
  readonly column?: number;
  /** In words: `exec-opts of daemon.json`, `--exec-opt in ExecStart=`, `Docker's default on cgroup v2 with systemd`. */
  readonly text: string;
}

/** The driver in force and how that is known. */
export interface Observed {
  readonly driver: ObservedDriver;
  readonly how: 'api' | 'cri' | 'command-line' | 'container';
  /** In words, such as `GET /info on /run/docker.sock`. */
  readonly text: string;
}

/** The driver of the next start. */
export interface Configured {
  /** Undefined when the runtime would not start, which a finding of severity error then explains. */
  readonly driver: ObservedDriver | undefined;
  readonly source: Source;
  /** Other places that say something about it and lose: the same key again, a shadowed file, a value that is not read. */
  readonly shadowed: readonly (Source & { readonly value?: string })[];
}

/** Something that is wrong or deserves to be known. `error` means that the runtime does not start or is not as configured. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'info';
  /** Stable, for programs: `docker-flag-and-file`, `containerd-wrong-section`, `need-daemon-reload`. */
  readonly code: string;
  /** One sentence. */
  readonly message: string;
  /** The way out. */
  readonly hint?: string;
  readonly path?: string;
  readonly line?: number;
  readonly column?: number;
}

/** One runtime of the host, or one runtime table of containerd, or one kubelet. */
export interface RuntimeStatus {
  readonly runtime: RuntimeName;
  /** Which one of several: `rootless alice`, `snap`, the runtime table `nvidia`, `user alice`; empty for the usual one. */
  readonly instance: string;
  /** The version as the program or the package database gives it, without epoch and Debian revision; undefined if unknown. */
  readonly version: string | undefined;
  readonly unit: string | undefined;
  /** Whose it is, where it is a user's and not the system's. */
  readonly user?: string;
  /** Undefined when it does not run, or does not say. */
  readonly running: Observed | undefined;
  readonly configured: Configured;
  readonly findings: readonly Finding[];
  /** Set where the driver is no decision of this host's files, such as cri-dockerd, which follows Docker. */
  readonly follows?: RuntimeName;
  /** The runtime that a kubelet asks for containers, by its socket. */
  readonly asks?: RuntimeName;
}

export interface AlignRequest {
  readonly to: CgroupDriver;
  /** `--live-restore`: switch Docker's live-restore on first, so that containers survive. */
  readonly liveRestore: boolean;
  /** Dangers that were allowed by their flags: `--drained`, `--stop-containers`. */
  readonly allowed: ReadonlySet<string>;
}

/**
 * One runtime's share of a plan. `align.ts` puts the shares in the order kubelet stops, files, reload, runtimes restart
 * and are checked, kubelet starts and is checked.
 */
export interface RuntimePlan {
  readonly runtime: RuntimeName;
  readonly instance: string;
  /** File steps. */
  readonly files: readonly Step[];
  /** Whether unit files or drop-ins are among them. */
  readonly reload: boolean;
  /** Whose unit files; `system` without it. */
  readonly manager?: StepManager;
  /** Steps before the files: stopping the kubelet, stopping a socket. */
  readonly before: readonly Step[];
  /** Steps after files and reload: restarts and checks of this runtime. */
  readonly after: readonly Step[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

/** Where and how the runtimes are looked at. */
export interface DriverHost {
  /** Configuration files: of this host, or of the tree of `--root`. */
  readonly tree: RootTree;
  /** Undefined with `--root`, where nothing runs: then no bus, no socket, no process and no program of the host is used. */
  readonly live: LiveHost | undefined;
  /** `--assume docker=28.5`: versions that go before those of packages; in a tree, also of runtimes that will be installed. */
  readonly assumed: ReadonlyMap<string, string>;
  /** Who asks: rootless runtimes are those of this user. */
  readonly self: Self;
}

export interface LiveHost {
  readonly paths: HostPaths;
  /** PID 1; undefined where systemd does not run or its bus does not answer. */
  readonly system: SystemdLink | undefined;
  /** The manager of the user who asks. */
  readonly user: SystemdLink | undefined;
}

/** What each runtime's module offers: read looks, the others are pure or ask the runtime's own programs. */
export interface Runtime<Facts> {
  readonly name: RuntimeName;
  /** One element for each instance found; none where the runtime is not installed. Never throws for a bad file: that is a finding. */
  read(host: DriverHost): Promise<readonly Facts[]>;
  /** One row for each thing that has a driver: one for Docker, one for each runtime table of containerd. */
  status(facts: Facts): readonly RuntimeStatus[];
  /** Pure. `others` are the rows of all runtimes, for what one must know of another. */
  plan(facts: Facts, request: AlignRequest, others: readonly RuntimeStatus[]): RuntimePlan;
  /**
   * What has to happen to this runtime while another one that it works with is changed and restarted, when nothing changes
   * in itself: the kubelet is stopped before and started after. Pure.
   */
  around?(facts: Facts, request: AlignRequest): RuntimePlan | undefined;
  /** What jobs of units among these steps, such as those of an undo, do to what runs now. Pure. */
  impact?(facts: Facts, steps: readonly Step[]): readonly PlanNote[];
  /** What the runtime's own validator says of the files as they would be. Not asked with `--root`. */
  validate?(facts: Facts, plan: RuntimePlan, host: DriverHost): Promise<readonly Refusal[]>;
  /** The checks that `plan` names in its steps, each beginning with the runtime's name: `docker-driver`. */
  checks(host: DriverHost): CheckTable;
}
