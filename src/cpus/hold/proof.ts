import { equalSets, type IndexSet, intersection, isSubset, printIndexSet } from '../../core/cpuset.ts';
import type { Task } from '../../host/tasks.ts';
import type { HoldHost } from './host.ts';
import { readLoaded } from './loaded.ts';
import { outside, type TaskSet, taskList, tasksBelow } from './masks.ts';
import type { SetName } from './parameters.ts';
import { GroupSets, KINDS } from './sets.ts';
import { setInFiles } from './written.ts';

/** What a unit should have. An empty set: as if nobody had set any. */
export interface Claim {
  readonly unit: string;
  readonly name: SetName;
  readonly wanted: IndexSet;
}

/** The places that can disagree about a unit's set, from what was written down to where its tasks may run. */
export type Layer = 'dropIn' | 'property' | 'asked' | 'effective' | 'masks';

export interface Layers {
  /** What its files give it at the next reload; empty where they set none. */
  readonly dropIn: IndexSet;
  /** What systemd holds; undefined where the unit is not loaded. */
  readonly property: IndexSet | undefined;
  /** cpuset.cpus, or cpuset.mems: empty where the group asks for nothing, undefined where it has no such file. */
  readonly asked: IndexSet | undefined;
  /** Of its group, or of the nearest one above that says; undefined where the unit has no group. */
  readonly effective: IndexSet | undefined;
  /** User tasks in its group and below, by the set that they may use. */
  readonly masks: readonly MaskCount[];
}

export interface MaskCount {
  readonly allowed: IndexSet;
  readonly tasks: readonly Pick<Task, 'tid' | 'pid' | 'name'>[];
}

/** A layer that is not as it should be: one sentence what is so, and one why, where that can be known. */
export interface LayerFinding {
  readonly layer: Layer;
  readonly what: string;
  readonly cause?: string;
}

export interface UnitProof {
  readonly unit: string;
  readonly name: SetName;
  readonly wanted: IndexSet;
  readonly layers: Layers;
  readonly findings: readonly LayerFinding[];
}

/** Looks at all five layers once: what changes at the same moment can show as a finding that a second look has not. */
export async function proveUnit(host: HoldHost, claim: Claim): Promise<UnitProof> {
  const { unit, name } = claim;
  const loaded = await readLoaded(host, unit, name);
  const groups = new GroupSets(host.paths, name);
  const cgroup = loaded?.cgroup;
  const tasks = cgroup === undefined ? [] : tasksBelow(host.paths, cgroup, name);
  const layers: Layers = {
    dropIn: setInFiles(host.tree, unit, name),
    property: loaded?.property,
    asked: cgroup === undefined ? undefined : groups.asked(cgroup),
    effective: cgroup === undefined ? undefined : groups.effective(cgroup),
    masks: countMasks(tasks),
  };
  return { ...claim, layers, findings: judge(claim, layers, tasks, KINDS[name].online(host.paths)) };
}

function judge(
  { unit, name, wanted }: Claim,
  { dropIn, property, asked, effective }: Layers,
  tasks: readonly TaskSet[],
  online: IndexSet,
): LayerFinding[] {
  const { what: kind } = KINDS[name];
  const findings: LayerFinding[] = [];
  const find = (layer: Layer, what: string, cause?: string): void => {
    findings.push({ layer, what, ...(cause !== undefined && { cause }) });
  };
  if (!equalSets(dropIn, wanted)) {
    find('dropIn', `the files of ${unit} give it ${listOr(dropIn, 'no')} ${kind}, not ${listOr(wanted, 'none')}`);
  }
  if (property !== undefined && !equalSets(property, wanted)) {
    const because = equalSets(dropIn, property)
      ? undefined
      : 'its files were changed and not read again, or set-property was called';
    find(
      'property',
      `systemd holds ${name}=${printIndexSet(property)} of ${unit}, not ${printIndexSet(wanted)}`,
      because,
    );
  }
  // Nothing is asked for: any group but one that asks for less than all is right, and only its tasks tell.
  if (effective === undefined || wanted.length === 0) return findings;
  if (asked === undefined) {
    find(
      'asked',
      `the group of ${unit} has no cpuset files`,
      'somebody took the cpuset controller away from the groups above',
    );
  } else if (!equalSets(asked, wanted)) {
    find(
      'asked',
      `the group of ${unit} asks for ${listOr(asked, 'no')} ${kind}, not ${printIndexSet(wanted)}`,
      property !== undefined && equalSets(property, wanted)
        ? 'the kernel refused what systemd wrote, which is in the journal only, or somebody wrote to the group'
        : undefined,
    );
  }
  const usable = intersection(wanted, online);
  if (!isSubset(effective, wanted)) {
    find(
      'effective',
      `the group of ${unit} has ${kind} ${printIndexSet(effective)}, which are not within ${printIndexSet(wanted)}`,
      usable.length === 0
        ? `none of ${printIndexSet(wanted)} is online, so that the kernel gives it all of the group above`
        : undefined,
    );
  } else if (!isSubset(usable, effective)) {
    find(
      'effective',
      `the group of ${unit} has only ${kind} ${printIndexSet(effective)} of ${printIndexSet(wanted)}`,
      'a group above or a partition keeps the others',
    );
  }
  const free = outside(tasks, wanted);
  if (free.length > 0)
    find(
      'masks',
      `${free.length === 1 ? '1 task' : `${free.length} tasks`} of ${unit} may use ${kind} outside of ${printIndexSet(wanted)}: ${taskList(free)}`,
    );
  return findings;
}

function listOr(set: IndexSet, none: string): string {
  return printIndexSet(set) || none;
}

function countMasks(tasks: readonly TaskSet[]): readonly MaskCount[] {
  const counts = new Map<string, { allowed: IndexSet; tasks: Pick<Task, 'tid' | 'pid' | 'name'>[] }>();
  for (const { allowed, tid, pid, name } of tasks) {
    const key = printIndexSet(allowed);
    const count = counts.get(key) ?? { allowed, tasks: [] };
    count.tasks.push({ tid, pid, name });
    counts.set(key, count);
  }
  return [...counts.values()];
}
