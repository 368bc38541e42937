import { dirname } from 'node:path';
import type { Controller } from '../core/properties/row.ts';
import { type CgroupLayout, groupFolder, type Hierarchy, type Membership } from './cgroups.ts';
import { readIfThere } from './files.ts';

/** The control files of one group and of the groups above it, whichever version the controllers are on. */
export interface ControlFiles {
  readonly version: 1 | 2;
  /** The group's path as `/proc/PID/cgroup` shows it (on v1 that of the memory or first controller). */
  readonly path: string;
  /** The folder that holds the controller's files, or undefined where it is not mounted. */
  folder(controller: Controller): string | undefined;
  read(controller: Controller, file: string): string | undefined;
  /** The groups above in that controller's hierarchy, nearest first, up to the one that is mounted. */
  ancestors(controller: Controller): readonly ControlFiles[];
}

/** Files of every group of the v2 tree, whatever controllers it has (cgroup-v2.rst). */
const ALWAYS_THERE: ReadonlySet<string> = new Set(['cpu.stat', 'cpu.pressure', 'memory.pressure', 'io.pressure']);

/** A group of the v2 tree. */
export function controlFilesV2(hierarchy: Hierarchy, path: string): ControlFiles {
  const folder = groupFolder(hierarchy, path);
  let offered: readonly string[] | undefined;
  // A controller that the group does not have has no files there; asking for each one costs an exception.
  const isOffered = (controller: Controller, file: string): boolean => {
    if (!file.startsWith(`${controller}.`) || ALWAYS_THERE.has(file)) return true;
    offered ??= (readIfThere(`${folder}/cgroup.controllers`) ?? '').trim().split(' ');
    return offered.includes(controller);
  };
  return {
    version: 2,
    path,
    folder: () => folder,
    read: (controller, file) => (isOffered(controller, file) ? readIfThere(`${folder}/${file}`) : undefined),
    ancestors: () => parents(hierarchy, path).map((parent) => controlFilesV2(hierarchy, parent)),
  };
}

/** A group of the v1 hierarchies: one path in each controller's tree. */
export function controlFilesV1(layout: CgroupLayout, paths: Membership['v1']): ControlFiles {
  const folder = (controller: Controller): string | undefined => {
    const hierarchy = layout.v1.get(controller);
    const path = paths.get(controller);
    return hierarchy && path !== undefined ? groupFolder(hierarchy, path) : undefined;
  };
  return {
    version: 1,
    path: paths.get('memory') ?? [...paths.values()][0] ?? '/',
    folder,
    read: (controller, file) => {
      const at = folder(controller);
      return at === undefined ? undefined : readIfThere(`${at}/${file}`);
    },
    ancestors: (controller) => {
      const hierarchy = layout.v1.get(controller);
      const path = paths.get(controller);
      if (!hierarchy || path === undefined) return [];
      return parents(hierarchy, path).map((parent) => controlFilesV1(layout, new Map([[controller, parent]])));
    },
  };
}

function parents(hierarchy: Hierarchy, path: string): string[] {
  const top = hierarchy.root === '/' || !path.startsWith(hierarchy.root) ? '/' : hierarchy.root;
  const found: string[] = [];
  for (let at = path; at !== top && at !== '/'; ) {
    at = dirname(at);
    found.push(at);
  }
  return found;
}
