import type { Controller } from '../../src/core/properties/row.ts';
import type { Launcher, LimitsInput } from '../../src/index.ts';

/** What a scenario finds on the machine it runs on. */
export interface Ground {
  readonly launcher: Launcher;
  /** A folder of the scenario's own, empty. */
  readonly folder: string;
  /** Keeps a job out of swap. Nothing under systemd on cgroup v1, which cannot: there the machine must have no swap. */
  readonly noSwap: LimitsInput;
  /** A slice that holds `limits`, as an administrator would have made it; it goes with the scenario. */
  slice(name: string, limits: Readonly<Record<'MemoryMax' | 'TasksMax', string>>): Promise<string>;
  /** Names of groups and units that slicectl made and that are there now. */
  remains(): Promise<readonly string[]>;
  /** A whole disk with a file system on it, where the machine has one. */
  readonly disk: { readonly device: string; readonly folder: string } | undefined;
}

/** One promise of `launch()`, the same for every backend: `run` throws when it is broken. */
export interface Scenario {
  readonly name: string;
  /** Controllers without which the kernel cannot show it. */
  readonly needs: readonly Controller[];
  /** Other conditions: `disk` a disk for the test alone, `v2` cgroup v2, `freezer` groups that can be frozen. */
  readonly also?: readonly ('disk' | 'v2' | 'freezer')[];
  run(ground: Ground): Promise<void>;
}

/** What the runner prints, one JSON line for each scenario. */
export type Outcome =
  | { readonly name: string; readonly state: 'passed' }
  | { readonly name: string; readonly state: 'failed'; readonly error: string }
  | { readonly name: string; readonly state: 'skipped'; readonly reason: string };
