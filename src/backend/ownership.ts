import { statSync } from 'node:fs';
import { errnoOf, SlicectlError } from '../core/errors.ts';
import { type CgroupLayout, groupFolder, type Hierarchy, type Membership, systemdIsBooted } from '../host/cgroups.ts';
import type { HostPaths } from '../host/paths.ts';
import { writeRefusal } from './availability.ts';
import { CONTAINER_HINT, DELEGATE_HINT } from './refusal.ts';

/** Whether slicectl may make groups below the caller's own, and why. */
export type Delegation =
  | { readonly granted: true; readonly because: 'delegated' | 'no systemd' }
  | { readonly granted: false; readonly refusal: SlicectlError };

interface Own {
  readonly folder: string;
  readonly version: 1 | 2;
}

/**
 * One writer a tree: on a host that systemd runs, groups that it made are its own (systemd.io, CGROUP_DELEGATION), but
 * for units with Delegate=, of which `isDelegatedUnit` knows. For root all files look alike, so that without an answer of
 * systemd nothing is granted. A user must own the files as well, and without an answer that has to do, though a user's
 * systemd makes all its units' groups with the same owner. Where no systemd runs, what can be written may be written.
 */
export async function delegation(
  paths: HostPaths,
  layout: CgroupLayout,
  membership: Membership,
  uid: number,
  isDelegatedUnit?: () => Promise<boolean>,
): Promise<Delegation> {
  const own = ownFolders(layout, membership);
  if (own.length === 0) return { granted: false, refusal: nothingMounted(layout) };
  const problems = own.map(({ folder }) => writeRefusal(folder));
  if (systemdIsBooted(paths, isFolder)) {
    const isOwner = uid === 0 || own.some((one) => isHandedTo(uid, one));
    const handedOver = isOwner && (isDelegatedUnit ? await isDelegatedUnit() : uid !== 0);
    if (!handedOver) return { granted: false, refusal: owned(own, uid) };
  }
  if (problems.every((problem) => problem !== undefined)) return { granted: false, refusal: unwritable(own, problems) };
  return { granted: true, because: systemdIsBooted(paths, isFolder) ? 'delegated' : 'no systemd' };
}

/** The caller's own group in every hierarchy where it can be seen. A path with `..` is outside of our namespace. */
function ownFolders({ mode, v1, v2 }: CgroupLayout, membership: Membership): readonly Own[] {
  const seen = (version: 1 | 2, hierarchy: Hierarchy | undefined, group: string | undefined): Own[] => {
    if (!hierarchy || group === undefined || group.split('/').includes('..')) return [];
    const folder = groupFolder(hierarchy, group);
    return isFolder(folder) ? [{ folder, version }] : [];
  };
  if (mode === 'unified') return seen(2, v2, membership.v2);
  return [...v1].flatMap(([controller, hierarchy]) => seen(1, hierarchy, membership.v1.get(controller)));
}

/** The three things that delegation hands over (cgroup-v2.rst, "Model of Delegation"); v1 has no subtree_control. */
function isHandedTo(uid: number, { folder, version }: Own): boolean {
  const files = ['', '/cgroup.procs', ...(version === 2 ? ['/cgroup.subtree_control'] : [])];
  return files.every((file) => ownerOfFile(`${folder}${file}`) === uid);
}

function ownerOfFile(path: string): number | undefined {
  return statIfThere(path)?.uid;
}

function isFolder(path: string): boolean {
  return statIfThere(path)?.isDirectory() ?? false;
}

function statIfThere(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

function nothingMounted({ mode }: CgroupLayout): SlicectlError {
  const message =
    mode === 'none' ? 'no cgroup tree is mounted' : "the caller's own group cannot be seen in any mounted cgroup tree";
  const hint =
    mode === 'none'
      ? 'mount one: mount -t cgroup2 none /sys/fs/cgroup; in a container: --cgroupns=private'
      : 'start the container with --cgroupns=private, or with the host’s /sys/fs/cgroup mounted';
  return new SlicectlError('E_NO_CGROUP', message, { hint });
}

function owned(own: readonly Own[], uid: number): SlicectlError {
  const path = own[0]?.folder;
  return new SlicectlError('E_OWNED', `${path} belongs to the running systemd and is not delegated to us`, {
    hint: `use --backend systemd, or go into a delegated group: systemd-run ${uid === 0 ? '' : '--user '}--scope -p Delegate=yes slicectl …`,
    data: { path },
  });
}

function unwritable(own: readonly Own[], problems: readonly (string | undefined)[]): SlicectlError {
  const path = own[0]?.folder;
  if (problems.includes('EROFS')) {
    return new SlicectlError('E_NO_CGROUP', `${path} is read-only`, { hint: CONTAINER_HINT, data: { path } });
  }
  return new SlicectlError('E_PRIVILEGE', `${path} cannot be written by this user`, {
    hint: DELEGATE_HINT,
    data: { path },
  });
}
