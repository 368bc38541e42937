import { readdirSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

/**
 * Whether any block device obeys io.weight: one with the bfq scheduler, or one for which io.cost.qos is enabled
 * (cgroup-v2.rst, "IO Interface Files"). Everywhere else the kernel takes the weight and ignores it.
 */
export function obeysIoWeight(paths: HostPaths, costQos: string | undefined): boolean {
  if (/\benable=1\b/.test(costQos ?? '')) return true;
  return blockDevices(paths).some((name) =>
    /\[bfq\]/.test(readIfThere(`${paths.sys}/block/${name}/queue/scheduler`) ?? ''),
  );
}

function blockDevices(paths: HostPaths): string[] {
  try {
    return readdirSync(`${paths.sys}/block`);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
