import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeContext } from '../../change/engine.ts';
import { type ChangeRecord, interrupted } from '../../change/journal.ts';
import { resume, undo } from '../../change/undo.ts';
import { SlicectlError } from '../../core/errors.ts';
import { isRecordOf, readRecords } from '../../cpus/record.ts';
import { asStopOf, whileState } from '../../cpus/while-unit.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { print } from '../output.ts';
import { contextOf, cpuMeans } from './change.ts';

/**
 * How long another change is waited for. It may be one that waits for the service that asks: an undo of the reservation
 * stops it, and goes on when this has given up.
 */
const PATIENCE_MS = 90_000;
const PAUSE_MS = 1_000;

/**
 * The stop command of the service of `--while-unit`. Nothing to do where the unit runs on, since the service was stopped
 * by hand, and where a shutdown takes all of it. A change of this reservation whose slicectl was killed comes to an end
 * first: nobody else is there to do it.
 */
export async function releaseEnded(host: DriverHost, name: string, releaseNow: () => Promise<number>): Promise<number> {
  const link = host.live?.system;
  if (link === undefined) return 0;
  const context = await contextIn(host, name);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const broken = brokenChange(context, name);
    const unit = readRecords(host.tree).find((one) => one.name === name)?.whileUnit;
    // The record may have gone before the release was interrupted.
    if (unit === undefined && broken === undefined) return 0;
    if (unit !== undefined && (await whileState(link, unit)) !== 'ended') return 0;
    try {
      if (broken === undefined) return await releaseNow();
      await end(broken, context, name);
    } catch (error) {
      const isBusy = error instanceof SlicectlError && ['E_LOCKED', 'E_CHANGED'].includes(error.code);
      if (!isBusy || performance.now() > deadline) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function contextIn(host: DriverHost, name: string): Promise<ChangeContext> {
  const context = contextOf(host, await cpuMeans(host));
  return { ...context, manager: async (which) => asStopOf(await context.manager(which), name) };
}

/** The change of this reservation that was interrupted, if one was. */
function brokenChange({ store }: ChangeContext, name: string): ChangeRecord | undefined {
  const found = interrupted(store);
  return found?.plan.steps.some((step) => step.kind === 'file' && isRecordOf(step.path, name)) ? found : undefined;
}

/** What was to reserve is taken back, and what was to release goes on. */
async function end({ id, plan }: ChangeRecord, context: ChangeContext, name: string): Promise<void> {
  const isReserve = plan.steps.some((step) => step.kind === 'file' && isRecordOf(step.path, name) && step.after.exists);
  print(`change ${id} (${plan.title}) was interrupted: ${isReserve ? 'undo' : 'resume'}\n`);
  const { problems } = await (isReserve ? undo(id, context) : resume(id, context));
  for (const problem of problems) print(`${problem}\n`);
}
