import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckResult } from '../../change/plan.ts';
import type { CgroupDriver } from '../model.ts';
import type { Running } from './running.ts';

export interface Patience {
  readonly deadlineMs: number;
  readonly pauseMs: number;
}

/** After `systemctl restart` containerd is ready; its CRI plugin is some seconds later on a slow host. */
const PATIENCE: Patience = { deadlineMs: 60_000, pauseMs: 500 };

/**
 * Waits until the CRI answers, and compares the driver of each runtime. Rounds are counted, so that a slow host gets its
 * time. `expect` has the runtimes' names.
 */
export async function checkContainerd(
  expect: Readonly<Record<string, string>>,
  look: () => Promise<Running | undefined>,
  { deadlineMs, pauseMs }: Patience = PATIENCE,
): Promise<CheckResult> {
  let why = 'containerd is not there';
  for (let spent = 0; spent <= deadlineMs; spent += pauseMs) {
    const running = await look();
    if (running?.drivers !== undefined) return compare(expect, running.drivers);
    why = running?.failure?.message ?? why;
    // Waiting helps neither against a lack of rights nor where the plugin is not loaded.
    if (running?.failure?.reason === 'denied') break;
    await sleep(pauseMs);
  }
  return { ok: false, found: `the CRI of containerd does not tell its drivers: ${why}` };
}

function compare(expect: Readonly<Record<string, string>>, drivers: ReadonlyMap<string, CgroupDriver>): CheckResult {
  const wanted = Object.entries(expect);
  const ok = wanted.every(([name, driver]) => drivers.get(name) === driver);
  const found = wanted.map(([name]) => `${name} has ${drivers.get(name) ?? 'no driver'}`);
  return { ok, found: `by the CRI ${found.join(', ')}` };
}
