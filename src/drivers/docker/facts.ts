import type { RootTree } from '../../host/root-tree.ts';
import type { Finding, Observed } from '../model.ts';
import type { DockerContainer } from './containers.ts';
import type { Daemon } from './daemons.ts';
import type { DockerInfo } from './info.ts';
import type { NextStart, StartFacts } from './next-start.ts';

/** One dockerd: what its files say, and what it does now. */
export interface DockerFacts {
  readonly tree: RootTree;
  readonly daemon: Daemon;
  /** `/` is that of a running host, on which systemd runs or not. */
  readonly isLive: boolean;
  /** Systemd and cgroup v2, as they are on the host; in a tree that does not run they are assumed. */
  readonly hasSystemd: boolean;
  readonly isUnified: boolean;
  /** Whether its files are known and the caller's or the host's: not those of other users, nor of a second daemon. */
  readonly isEditable: boolean;
  /** Whether slicectl can restart it: a unit starts it, and that unit's manager answers. */
  readonly isManaged: boolean;
  readonly start: StartFacts;
  readonly next: NextStart;
  readonly run: DockerRun;
  /** The program that `--validate` is asked of. */
  readonly program: string | undefined;
}

/** A dockerd as it is now. */
export interface DockerRun {
  readonly isRunning: boolean;
  /** It does not run although it should: its start failed, or is tried again and again. */
  readonly hasFailed: boolean;
  /** The socket that answered, or is expected to. */
  readonly socket: string | undefined;
  readonly observed: Observed | undefined;
  readonly info: DockerInfo | undefined;
  /** Undefined where it cannot be asked. */
  readonly containers: readonly DockerContainer[] | undefined;
  readonly findings: readonly Finding[];
}

export const NOT_RUNNING: DockerRun = {
  isRunning: false,
  hasFailed: false,
  socket: undefined,
  observed: undefined,
  info: undefined,
  containers: undefined,
  findings: [],
};
