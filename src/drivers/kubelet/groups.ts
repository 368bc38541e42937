import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupLayout, groupFolder, type Hierarchy, readLayout } from '../../host/cgroups.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { CgroupDriver } from '../model.ts';

/** The group above all pods, as each driver names it: pkg/kubelet/cm/cgroup_manager_linux.go. */
export function podsGroup(driver: CgroupDriver, cgroupRoot: string): string {
  const parts = [...cgroupRoot.split('/').filter((part) => part !== ''), 'kubepods'];
  if (driver === 'cgroupfs') return `/${parts.join('/')}`;
  const names = parts.map((part) => part.replace(/\.slice$/, '').replaceAll('-', '_'));
  return `/${names.map((_, at) => `${names.slice(0, at + 1).join('-')}.slice`).join('/')}`;
}

/** The drivers whose group for pods is there: both after a change, until the next boot. */
export function podsGroups(paths: HostPaths, cgroupRoot: string): readonly CgroupDriver[] {
  return (['systemd', 'cgroupfs'] as const).filter((driver) => foldersOf(paths, driver, cgroupRoot).some(isFolder));
}

/** The uids of pods that have processes. */
export function podsInGroups(paths: HostPaths, cgroupRoot: string): readonly string[] {
  const uids = new Set<string>();
  for (const driver of ['systemd', 'cgroupfs'] as const) {
    for (const folder of foldersOf(paths, driver, cgroupRoot).filter(isFolder)) collect(folder, uids);
  }
  return [...uids].sort();
}

function foldersOf(paths: HostPaths, driver: CgroupDriver, cgroupRoot: string): string[] {
  const group = podsGroup(driver, cgroupRoot);
  return hierarchies(readLayout(paths)).map((hierarchy) => groupFolder(hierarchy, group));
}

function hierarchies({ mode, v2, v1 }: CgroupLayout): Hierarchy[] {
  const controllers = (['memory', 'pids', 'cpu'] as const).flatMap((name) => v1.get(name) ?? []);
  return mode === 'unified' && v2 ? [v2] : controllers.slice(0, 1);
}

/** `pod<uid>`, `kubepods-burstable-pod<uid with underscores>.slice`. */
const POD = /(?:^|-)pod([0-9a-f]{8}[-_][0-9a-f_-]{27}|[0-9a-f]{32})(?:\.slice)?$/;

function collect(folder: string, uids: Set<string>): void {
  for (const name of foldersIn(folder)) {
    const uid = POD.exec(name)?.[1];
    const path = join(folder, name);
    if (uid === undefined) collect(path, uids);
    else if (hasProcesses(path)) uids.add(uid.replaceAll('_', '-'));
  }
}

function hasProcesses(folder: string): boolean {
  const populated = /^populated (\d)/m.exec(readIfThere(join(folder, 'cgroup.events')) ?? '')?.[1];
  if (populated !== undefined) return populated === '1';
  if ((readIfThere(join(folder, 'cgroup.procs')) ?? '').trim() !== '') return true;
  return foldersIn(folder).some((name) => hasProcesses(join(folder, name)));
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    // A group can vanish while it is looked at.
    return [];
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
