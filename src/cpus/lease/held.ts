import { statSync } from 'node:fs';
import type { Owner } from '../../core/job-id.ts';
import { readLayout } from '../../host/cgroups.ts';
import { bootId } from '../../host/lock.ts';
import type { HostPaths } from '../../host/paths.ts';
import { mayBeAlive, readOwner } from '../../host/process.ts';
import { foldersIn, processesBelow } from '../../host/tree.ts';
import type { Lease, LeaseGroup } from './record.ts';

/** From where leases are judged. */
export interface Judge {
  readonly paths: HostPaths;
  readonly self: Owner;
  readonly bootId: string;
}

export function readJudge(paths: HostPaths): Judge {
  return { paths, self: readOwner(paths), bootId: bootId(paths) };
}

/**
 * Whether a lease still counts. While its maker may live it does, until the job's group is made and gone again. When the
 * maker is dead, the job goes on, and the lease with it, as long as a process is in the group. A maker in another pid
 * namespace, whose groups may be hidden from here too, cannot be judged, and its lease counts.
 */
export function isHeld({ paths, self, bootId: now }: Judge, { maker, group, unit }: Lease): boolean {
  if (maker.bootId !== now) return false;
  if (maker.pidNamespace !== self.pidNamespace) return true;
  const isAlive = mayBeAlive(paths, maker, self);
  if (group !== undefined) return isThere(group) && (isAlive || processesBelow(group.folder).length > 0);
  return isAlive || (unit !== undefined && runsAnywhere(paths, unit));
}

function isThere({ folder, inode }: LeaseGroup): boolean {
  return inodeOf(folder) === inode;
}

/** Of a folder; undefined where there is none. */
export function inodeOf(folder: string): string | undefined {
  const found = statSync(folder, { bigint: true, throwIfNoEntry: false });
  return found?.isDirectory() ? `${found.ino}` : undefined;
}

/**
 * Whether any group of the unit's name has a process: for a maker that was killed after it had asked systemd for a unit
 * and before it learnt where that is. systemd puts `_` before names that control files could have (cg_escape).
 */
function runsAnywhere(paths: HostPaths, unit: string): boolean {
  const { v1, v2 } = readLayout(paths);
  const mounts = [...(v2 ? [v2.mount] : []), ...[...v1.values()].map(({ mount }) => mount)];
  return mounts.some((mount) => foundBelow(mount, unit));
}

function foundBelow(folder: string, unit: string): boolean {
  return foldersIn(folder).some((name) => {
    const path = `${folder}/${name}`;
    const isIts = name === unit || name === `_${unit}`;
    return (isIts && processesBelow(path).length > 0) || foundBelow(path, unit);
  });
}
