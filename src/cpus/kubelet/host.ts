import type { SystemdLink } from '../../backend/systemd-link.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { HOST, type HostPaths } from '../../host/paths.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { readSelf } from '../../host/self.ts';

/** The host as the readers of drivers want it. `isLive` is whether programs and processes of it may be asked. */
export function driverHostOf(
  tree: RootTree,
  isLive: boolean,
  paths: HostPaths = HOST,
  system?: SystemdLink,
): DriverHost {
  const live = isLive && tree.isHost ? { paths, system, user: undefined } : undefined;
  return { tree, live, assumed: new Map(), self: readSelf() };
}
