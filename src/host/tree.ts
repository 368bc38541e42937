import { readdirSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import { readIfThere } from './files.ts';

/** Pids in a group's folder and in all below it. A group that vanishes meanwhile holds none. */
export function processesBelow(folder: string): number[] {
  const own = (readIfThere(`${folder}/cgroup.procs`) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
  return [...own, ...foldersIn(folder).flatMap((name) => processesBelow(`${folder}/${name}`))];
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
