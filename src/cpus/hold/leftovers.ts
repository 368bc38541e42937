import { equalSets, type IndexSet } from '../../core/cpuset.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { setOfFiles } from '../file-sets.ts';
import type { HoldHost } from './host.ts';
import { activeSlices } from './loaded.ts';
import type { SetName } from './parameters.ts';
import { type OwnDropIns, readOwnDropIns, restoreOwnDropIns } from './written.ts';

/** systemd's own drop-ins of slices when a step began; those that are not here were not there. */
export interface SliceDropIns {
  /** They end with it. */
  readonly boot: string;
  readonly slices: OwnDropIns;
}

export interface Tidying {
  readonly name: SetName;
  /** What the step may have set for a moment. */
  readonly sets: readonly IndexSet[];
}

/** Of all slices that have a group, or of those below one. */
export async function noteSlices(host: HoldHost, name: SetName, below?: string): Promise<SliceDropIns> {
  const slices = (await slicesBelow(host, below)).flatMap((unit) => present(host.tree, unit, name));
  return { boot: bootId(host.paths), slices: Object.fromEntries(slices) };
}

/**
 * Brings back what a step that was killed left of the sets that it gave slices for a moment: the next one finds these
 * slices as they should be, and would leave the drop-ins.
 */
export async function tidySlices(
  host: HoldHost,
  before: SliceDropIns,
  tidying: Tidying,
  below?: string,
): Promise<void> {
  const known = before.boot === bootId(host.paths) ? before.slices : {};
  for (const unit of await slicesBelow(host, below)) tidyUnit(host.tree, unit, known, tidying);
}

/** As {@link tidySlices}, for one. What says anything else was written by somebody else. */
export function tidyUnit(tree: RootTree, unit: string, known: OwnDropIns, { name, sets }: Tidying): void {
  for (const [path, text] of present(tree, unit, name)) {
    const was = known[path] ?? null;
    const now = setOfFiles(tree, [path], name);
    if (text !== was && sets.some((set) => equalSets(set, now))) restoreOwnDropIns(tree, { [path]: was });
  }
}

export function bootId({ proc }: HostPaths): string {
  return (readIfThere(`${proc}/sys/kernel/random/boot_id`) ?? '').trim();
}

async function slicesBelow(host: HoldHost, below: string | undefined): Promise<readonly string[]> {
  const prefix = below?.replace(/\.slice$/, '-') ?? '';
  return (await activeSlices(host)).filter((unit) => unit.startsWith(prefix));
}

function present(tree: RootTree, unit: string, name: SetName): [path: string, text: string][] {
  return Object.entries(readOwnDropIns(tree, unit, name)).flatMap(([path, text]) =>
    text === null ? [] : [[path, text]],
  );
}
