import { accessSync, constants } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import type { Controller } from '../core/properties/row.ts';
import { readIfThere } from '../host/files.ts';
import type { HostPaths } from '../host/paths.ts';
import { foldersIn } from '../host/tree.ts';
import type { Obstacle } from './tree.ts';

/** `undefined` where the path can be written; else the errno's name (EACCES, EROFS, ENOENT…). */
export function writeRefusal(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined) throw error;
    return code;
  }
}

/** Whether the kernel was booted without the controller, from the command line or the `enabled` column of /proc/cgroups. */
export function disabledAtBoot(paths: HostPaths, controller: Controller): Obstacle | undefined {
  const name = controller === 'io' ? 'blkio' : controller;
  const line = readIfThere(`${paths.proc}/cmdline`) ?? '';
  const words = line.split(/\s+/).filter((word) => word.startsWith('cgroup_disable='));
  const asked = words.some((word) => word.slice('cgroup_disable='.length).split(',').includes(name));
  const column = new RegExp(`^${name}\\s+\\d+\\s+\\d+\\s+(\\d)`, 'm').exec(
    readIfThere(`${paths.proc}/cgroups`) ?? '',
  )?.[1];
  if (!asked && column !== '0') return undefined;
  return {
    why: `the ${name} controller is disabled on the kernel command line`,
    wayOut: `boot without cgroup_disable=${name} (or with cgroup_enable=${name})`,
  };
}

/** A file that every group with the controller has, the root aside. */
const MARKS: Readonly<Partial<Record<Controller, string>>> = {
  cpu: 'cpu.weight',
  cpuset: 'cpuset.cpus',
  memory: 'memory.max',
  io: 'io.stat',
  pids: 'pids.max',
};

/**
 * Whether this kernel has the control file in a group below `base`. The root has fewer files than the groups below, so
 * there any other group is looked at; without one the file is taken to exist, and the write will say if it does not.
 */
export function offersFile(version: 1 | 2, base: string, controller: Controller, file: string): boolean {
  const has = (folder: string, name: string) => readIfThere(`${folder}/${name}`) !== undefined;
  if (has(base, file)) return true;
  // Read by blkio.bfq's own statistics, which the root has where the policy is built in.
  if (file === 'blkio.bfq.weight') return has(base, 'blkio.bfq.io_service_bytes');
  // Memory with swap is counted in the root as well, unless the kernel was booted with swapaccount=0.
  if (file === 'memory.memsw.limit_in_bytes') return false;
  const isTop = version === 1 ? has(base, 'release_agent') : !has(base, 'cgroup.type');
  if (!isTop) return false;
  const mark = version === 1 ? 'cgroup.procs' : (MARKS[controller] ?? 'cgroup.procs');
  const sample = foldersIn(base).find((name) => has(`${base}/${name}`, mark));
  return sample === undefined || has(`${base}/${sample}`, file);
}
