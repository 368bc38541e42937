import { statSync } from 'node:fs';
import { SystemdLink } from '../backend/systemd-link.ts';
import { badInput, quote, SlicectlError } from '../core/errors.ts';
import { systemdIsBooted } from '../host/cgroups.ts';
import type { HostPaths } from '../host/paths.ts';
import { HOST } from '../host/paths.ts';
import { openTree } from '../host/root-tree.ts';
import type { Self } from '../host/self.ts';
import { type DriverHost, type LiveHost, RUNTIME_NAMES } from './model.ts';

export interface HostRequest {
  /** `--root DIR`: a tree in which nothing runs. */
  readonly root?: string | undefined;
  /** `--assume NAME=VERSION`. */
  readonly assume?: readonly string[] | undefined;
  readonly self: Self;
  readonly paths?: HostPaths;
}

/**
 * What status, align and check look at. Close it with {@link closeHost}. `E_INPUT` for a root that is no folder and an
 * assumption that is none.
 */
export async function openHost({ root, assume = [], self, paths = HOST }: HostRequest): Promise<DriverHost> {
  const tree = openTree(root);
  const live = tree.isHost && root === undefined ? await openLive(paths, self) : undefined;
  return { tree, live, assumed: new Map(assume.map(parseAssumption)), self };
}

export function closeHost({ live }: DriverHost): void {
  live?.system?.close();
  live?.user?.close();
}

/** `docker=28.5` → its two parts. */
function parseAssumption(text: string): [name: string, version: string] {
  const [, name = '', version = ''] = /^([a-z0-9-]+)=(\d[\w.+~-]*)$/.exec(text) ?? [];
  if (version === '') throw badInput(`--assume ${quote(text)} is not NAME=VERSION`, 'write for example docker=28.5');
  if (!RUNTIME_NAMES.some((known) => known === name)) {
    throw badInput(`--assume knows no runtime ${quote(name)}`, `it is one of ${RUNTIME_NAMES.join(', ')}`);
  }
  return [name, version];
}

async function openLive(paths: HostPaths, self: Self): Promise<LiveHost> {
  const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const isBooted = systemdIsBooted(paths, isFolder);
  const system = isBooted ? await reach('system', self) : undefined;
  const user = isBooted && self.uid !== 0 ? await reach('user', self) : undefined;
  return { paths, system, user };
}

/** The manager, or undefined where its bus does not answer: what files say can be read all the same. */
async function reach(kind: 'system' | 'user', self: Self): Promise<SystemdLink | undefined> {
  const link = new SystemdLink(kind, { env: self.env, uid: self.uid });
  try {
    await link.session();
    return link;
  } catch (error) {
    link.close();
    if (error instanceof SlicectlError) return undefined;
    throw error;
  }
}
