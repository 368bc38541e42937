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

/** A group of the v2 tree. */
export function controlFilesV2(hierarchy: Hierarchy, path: string): ControlFiles {
  const folder = groupFolder(hierarchy, path);
  return {
    version: 2,
    path,
    folder: () => folder,
    read: (_, file) => readIfThere(`${folder}/${file}`),
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
