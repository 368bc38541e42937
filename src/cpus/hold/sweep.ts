import { equalSets, type IndexSet, isSubset } from '../../core/cpuset.ts';
import { isLiveDropIn, isOwnDropIn } from '../own-files.ts';
import { confine, widen } from './force.ts';
import type { HoldHost } from './host.ts';
import { activeSlices, readLoaded } from './loaded.ts';
import type { SetName } from './parameters.ts';
import { GroupSets } from './sets.ts';
import { readOwnDropIns, restoreOwnDropIns, setInFiles } from './written.ts';

/** Which slices are meant, and what they get. */
export interface Sweep {
  readonly name: SetName;
  readonly from: IndexSet;
  readonly to: IndexSet;
  /** Whether `to` is everything there is: then no task may stay on `from`. */
  readonly isAll: boolean;
  /** Only slices below this one. */
  readonly below?: string;
}

/** Giving one slice its set makes systemd give others what is due to them, so that more come to light. */
const ROUNDS = 6;

/**
 * Gives another set to slices that have one by a drop-in of ours for many slices: those to which systemd has given it,
 * and those that it will give it to when it looks at their groups next. Slices with a set of their own are left alone.
 */
export async function sweepSlices(host: HoldHost, sweep: Sweep): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = await slicesWith(host, sweep);
    if (found.length === 0) return;
    for (const unit of found) await give(host, unit, sweep);
  }
}

/**
 * Confines slices that have the set by a drop-in for many and may still use more, or ask for more, as an undo left them:
 * systemd has not looked at them yet.
 */
export async function confineLate(host: HoldHost, name: SetName, set: IndexSet): Promise<void> {
  const groups = new GroupSets(host.paths, name);
  for (const unit of await activeSlices(host)) {
    const loaded = await readLoaded(host, unit, name);
    if (loaded?.cgroup === undefined || !equalSets(loaded.property, set)) continue;
    const asked = groups.asked(loaded.cgroup) ?? [];
    if (isSubset(groups.effective(loaded.cgroup), set) && isSubset(asked, set)) continue;
    await keepingOwn(host, unit, name, () => confine(host, unit, name, set));
  }
}

/** Gives a unit that still has a set whose file has gone what its files say now, or all. */
export async function giveByFiles(
  host: HoldHost,
  unit: string,
  name: SetName,
  { from, all }: { readonly from: IndexSet; readonly all: IndexSet },
): Promise<void> {
  const loaded = await readLoaded(host, unit, name);
  if (loaded?.cgroup === undefined) return;
  const asked = new GroupSets(host.paths, name).asked(loaded.cgroup) ?? [];
  if (!equalSets(loaded.property, from) && !equalSets(asked, from)) return;
  const written = setInFiles(host.tree, unit, name);
  if (equalSets(written, from)) return;
  await keepingOwn(host, unit, name, () =>
    written.length === 0 ? widen(host, unit, name, { all, left: from }) : confine(host, unit, name, written),
  );
}

async function slicesWith(host: HoldHost, { name, from, below }: Sweep): Promise<readonly string[]> {
  const groups = new GroupSets(host.paths, name);
  const prefix = below?.replace(/\.slice$/, '-');
  const found: string[] = [];
  for (const unit of await activeSlices(host)) {
    if (prefix !== undefined && !unit.startsWith(prefix)) continue;
    const loaded = await readLoaded(host, unit, name);
    if (loaded?.cgroup === undefined) continue;
    const asked = groups.asked(loaded.cgroup) ?? [];
    if (!equalSets(loaded.property, from) && !equalSets(asked, from)) continue;
    if (ownSet(host, unit, name).length === 0) found.push(unit);
  }
  return found;
}

/** What the administrator gives a unit: without what we wrote, and what was set until reboot. */
export function ownSet({ tree }: Pick<HoldHost, 'tree'>, unit: string, name: SetName): IndexSet {
  return setInFiles(tree, unit, name, (path) => !isOwnDropIn(path) && !isLiveDropIn(path, name));
}

async function give(host: HoldHost, unit: string, { name, from, to, isAll }: Sweep): Promise<void> {
  await keepingOwn(host, unit, name, () =>
    isAll ? widen(host, unit, name, { all: to, left: from }) : confine(host, unit, name, to),
  );
}

/** What systemd writes for a call is not meant to stay: files of ours say the same, or are about to go. */
async function keepingOwn(host: HoldHost, unit: string, name: SetName, act: () => Promise<unknown>): Promise<void> {
  const before = readOwnDropIns(host.tree, unit, name);
  try {
    await act();
  } finally {
    restoreOwnDropIns(host.tree, before);
  }
}
