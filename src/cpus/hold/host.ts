import type { SystemdLink } from '../../backend/systemd-link.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { RootTree } from '../../host/root-tree.ts';

/** Where CPUs are given and proved: a host with systemd as PID 1. */
export interface HoldHost {
  readonly paths: HostPaths;
  /** Unit files and drop-ins. */
  readonly tree: RootTree;
  /** PID 1. */
  readonly link: SystemdLink;
}
