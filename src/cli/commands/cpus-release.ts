import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../../core/errors.ts';
import { readCpuFacts } from '../../cpus/facts.ts';
import { readRecords } from '../../cpus/record.ts';
import { planRelease } from '../../cpus/release.ts';
import { whileState } from '../../cpus/while-unit.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { readSelf } from '../../host/self.ts';
import { type CarryOutOptions, carryOut, cpuMeans } from './change.ts';
import { cpuHostOf } from './cpu-host.ts';

export interface ReleaseOptions extends CarryOutOptions {
  readonly ended?: boolean;
}

/** `slicectl cpus release NAME`. */
export async function release(name: string, options: ReleaseOptions): Promise<number> {
  const host = await openHost({ self: readSelf() });
  try {
    return options.ended ? await releaseEnded(host, name, options) : await releaseNow(host, name, options, false);
  } finally {
    closeHost(host);
  }
}

async function releaseNow(
  host: DriverHost,
  name: string,
  options: ReleaseOptions,
  isStopping: boolean,
): Promise<number> {
  const cpuHost = cpuHostOf(host);
  const plan = planRelease(await readCpuFacts(cpuHost), cpuHost, name, isStopping);
  return carryOut(plan, host, await cpuMeans(host), options);
}

/**
 * How long another change is waited for. It may be one that waits for the service that asks: an undo of the reservation
 * stops it, and goes on when this has given up.
 */
const PATIENCE_MS = 90_000;
const PAUSE_MS = 1_000;

/** Nothing to do where the unit runs on, since the service was stopped by hand, and where a shutdown takes all of it. */
async function releaseEnded(host: DriverHost, name: string, options: ReleaseOptions): Promise<number> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const record = readRecords(host.tree).find((one) => one.name === name);
    const link = host.live?.system;
    if (record?.whileUnit === undefined || link === undefined) return 0;
    if ((await whileState(link, record.whileUnit)) !== 'ended') return 0;
    try {
      return await releaseNow(host, name, options, true);
    } catch (error) {
      const isBusy = error instanceof SlicectlError && ['E_LOCKED', 'E_CHANGED'].includes(error.code);
      if (!isBusy || performance.now() > deadline) throw error;
    }
    await sleep(PAUSE_MS);
  }
}
