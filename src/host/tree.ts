import { readdirSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import { readIfThere } from './files.ts';

/** Pids in a group's folder and in all below it. A group that vanishes meanwhile holds none. */
export function processesBelow(folder: string): number[] {
  return listedBelow(folder, 'cgroup.procs');
}

/** Likewise of threads, which may be in another group than their process (cgroup-v2.rst, "Threads"). */
export function threadsBelow(folder: string): number[] {
  return listedBelow(folder, 'cgroup.threads');
}

function listedBelow(folder: string, file: string): number[] {
  const own = (readIfThere(`${folder}/${file}`) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
  return [...own, ...foldersIn(folder).flatMap((name) => listedBelow(`${folder}/${name}`, file))];
}

/** Names of the groups directly in a group's folder. */
export function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
