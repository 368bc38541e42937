import { readLayout } from '../../host/cgroups.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { CpuFacts, Wanted } from '../model.ts';
import { isOwnDropIn, ownFiles } from '../own-files.ts';

/** What tells who changed something, and what can be changed at all. */
export interface Traces {
  /** Controllers that the root group hands down; undefined without a v2 tree. */
  readonly rootControllers: readonly string[] | undefined;
  /** Programs that run and that are known to change who may run where. */
  readonly meddlers: readonly Meddler[];
  /** Files that are wanted and drop-ins of the units, with their texts; undefined for one that is not there. */
  readonly texts: ReadonlyMap<string, string | undefined>;
  /** Drop-ins of ours that no reservation wants. */
  readonly leftovers: readonly string[];
  /** Interrupt lines that the kernel manages itself and lets nobody move. */
  readonly managed: ReadonlySet<number>;
}

export type Meddler = keyof typeof MEDDLERS;

/** By the name of their process; what they do to a reservation. */
export const MEDDLERS = {
  intel_lpmd:
    'sets AllowedCPUs of system.slice, user.slice and machine.slice when it changes its mode, and writes -cpuset',
  tuned: 'moves tasks and interrupts by its profile',
  irqbalance: 'moves interrupt lines',
} as const;

export function readTraces(paths: HostPaths, tree: RootTree, facts: CpuFacts, wanted: Wanted): Traces {
  const { v2 } = readLayout(paths);
  const names = new Set(facts.tasks.filter(({ kind }) => kind === 'user').map(({ name }) => name));
  const wantedPaths = wanted.files.map(({ path }) => path);
  const looked = new Set(wanted.units.map(({ unit }) => unit));
  const dropIns = facts.units.filter(({ name }) => looked.has(name)).flatMap((unit) => unit.dropIns);
  return {
    rootControllers: v2 && (readIfThere(`${v2.mount}/cgroup.subtree_control`) ?? '').trim().split(/\s+/),
    meddlers: (Object.keys(MEDDLERS) as Meddler[]).filter((name) => names.has(name)),
    texts: new Map([...wantedPaths, ...dropIns].map((path) => [path, tree.text(path)])),
    leftovers: ownFiles(tree).filter((path) => isOwnDropIn(path) && !wantedPaths.includes(path)),
    managed: new Set([...facts.movability].flatMap(([line, answer]) => (answer === 'refuses' ? [line] : []))),
  };
}
