import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckResult } from '../../change/plan.ts';
import type { ObservedDriver } from '../model.ts';

/** The kubelet at one moment. */
export interface Moment {
  readonly activeState: string;
  readonly subState: string;
  readonly result: string;
  readonly mainPid: number | undefined;
}

export interface Watch {
  readonly look: () => Promise<Moment>;
  /** Asked once it is stable: the driver in force, or of the files where that cannot be seen. */
  readonly driver: () => Promise<{ readonly driver: ObservedDriver | undefined; readonly text: string }>;
  /** Undefined where nothing answers. */
  readonly healthy: () => Promise<boolean | undefined>;
}

export interface Patience {
  /** How long one process has to run. */
  readonly stableMs: number;
  readonly deadlineMs: number;
  readonly pauseMs: number;
}

/** A kubelet that does not like its files ends within a second or two, and RestartSec of its unit is 10 s. */
export const PATIENCE: Patience = { stableMs: 6_000, deadlineMs: 60_000, pauseMs: 500 };

/** Waits for one kubelet process that stays, and compares its driver. */
export async function checkKubelet(expected: string, watch: Watch, patience = PATIENCE): Promise<CheckResult> {
  const fault = await settleKubelet(watch, patience);
  return fault === undefined ? compare(expected, watch) : { ok: false, found: fault };
}

/**
 * Waits for one kubelet process that stays; gives what is so instead where none does. Rounds are counted, so that a slow
 * host gets its time.
 */
export async function settleKubelet(
  watch: Pick<Watch, 'look' | 'healthy'>,
  { stableMs, deadlineMs, pauseMs }: Patience,
): Promise<string | undefined> {
  let stable = 0;
  let last: number | undefined;
  let ended: string | undefined;
  let ill: string | undefined;
  for (let spent = 0; spent <= deadlineMs; spent += pauseMs) {
    const now = await watch.look();
    stable = now.mainPid !== undefined && now.activeState === 'active' && now.mainPid === last ? stable + pauseMs : 0;
    last = now.mainPid;
    ended = describeEnded(now) ?? ended;
    ill = undefined;
    if (stable >= stableMs) {
      if ((await watch.healthy()) !== false) return undefined;
      ill = 'the kubelet runs and says on its healthz port that it is not healthy';
    }
    await sleep(pauseMs);
  }
  return `${ill ?? ended ?? 'the kubelet is another process again and again'} after ${deadlineMs / 1000} s`;
}

/** How it stands where it does not run; of one that is started again and again, this says more than its last start. */
export function describeEnded({ activeState, subState, result }: Moment): string | undefined {
  if (activeState === 'active') return undefined;
  return `the kubelet is ${activeState} (${subState}${result === 'success' ? '' : `, ${result}`})`;
}

async function compare(expected: string, watch: Watch): Promise<CheckResult> {
  const { driver, text } = await watch.driver();
  if (driver === undefined) return { ok: false, found: 'the kubelet runs, and its driver cannot be seen' };
  return { ok: driver === expected, found: `the kubelet runs with ${driver}, by ${text}` };
}

/** The kubelet's healthz on the loopback: undefined where nothing answers or the port is off. */
export function askHealth(port: number): Promise<boolean | undefined> {
  if (port === 0) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/healthz', timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
