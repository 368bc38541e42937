import { lines } from '../core/properties/forms.ts';
import type { ControlFiles } from '../host/control-files.ts';
import { watchControl } from '../host/events.ts';

/**
 * Counts refused forks while the job runs, for kernels before 6.12, which count them in the group of the forking process
 * only (`pids.events`): when that group is not the one that carries the limits, the count vanishes with it. The kernel
 * notifies at most every 10 ms, so the last few of a burst can be missing.
 */
export function countForks(files: ControlFiles, leaf: ControlFiles): { readonly stop: () => bigint | undefined } {
  const folder = leaf.folder('pids');
  const isCountedAbove = files.read('pids', 'pids.events.local') !== undefined;
  if (files.path === leaf.path || isCountedAbove || folder === undefined) return { stop: () => undefined };
  let seen: bigint | undefined;
  const look = (): void => {
    const text = lines(leaf.read('pids', 'pids.events') ?? '').find(([key]) => key === 'max')?.[1];
    if (text !== undefined) seen = BigInt(text);
  };
  const unwatch = watchControl(`${folder}/pids.events`, look);
  return {
    stop: () => {
      unwatch();
      look();
      return seen;
    },
  };
}
