import { setTimeout as sleep } from 'node:timers/promises';
import type { SystemdLink } from '../../backend/systemd-link.ts';
import type { ChangeContext } from '../../change/engine.ts';
import { type ChangeRecord, interrupted, listChanges } from '../../change/journal.ts';
import { resume, undo } from '../../change/undo.ts';
import { isRecordOf, readRecords } from '../../cpus/record.ts';
import { watchOn } from '../../cpus/watch-on.ts';
import { asStopOf, type WhileState, whileService, whileState } from '../../cpus/while-unit.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { print } from '../output.ts';
import { contextOf, cpuMeans } from './change.ts';
import { whenFree } from './when-free.ts';

/**
 * How long another change is waited for. It may be one that waits for the service that asks: an undo of the reservation
 * stops it, and goes on when this has given up.
 */
const PATIENCE_MS = 90_000;
const PAUSE_MS = 500;

/**
 * The stop command of the service of `--while-unit`. Where the unit goes on nothing is released, and the service has to
 * watch again; a shutdown takes all of it. A change of this reservation whose slicectl was killed comes to an end first:
 * nobody else is there to do it.
 */
export async function releaseEnded(host: DriverHost, name: string, releaseNow: () => Promise<number>): Promise<number> {
  const link = host.live?.system;
  if (link === undefined) return 0;
  const context = await contextIn(host, name);
  return whenFree(async () => {
    for (;;) {
      const broken = brokenChange(context, name);
      const unit = readRecords(host.tree).find((one) => one.name === name)?.whileUnit;
      // The record may have gone before the release was interrupted.
      if (unit === undefined && broken === undefined) return 0;
      const state = unit === undefined ? 'ended' : await decidedState(link, unit);
      if (unit !== undefined && state === 'runs' && !isAtWork(context, name)) await watchOn(link, name, unit);
      if (state === 'runs' || state === 'shutting-down') return 0;
      if (broken === undefined) return await releaseNow();
      await end(broken, context, name);
    }
  }, PATIENCE_MS);
}

/** Waits for a unit that goes down by itself, in case that Restart= brings it back. */
async function decidedState(link: SystemdLink, unit: string): Promise<WhileState> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const state = await whileState(link, unit);
    if (state !== 'ending' || performance.now() > deadline) return state;
    await sleep(PAUSE_MS);
  }
}

/** Whether a change that is being made or undone has the service among its steps: then it says who watches. */
function isAtWork({ store }: ChangeContext, name: string): boolean {
  return listChanges(store).some(
    (change) =>
      'plan' in change &&
      ['applying', 'undoing'].includes(change.state) &&
      change.plan.steps.some((step) => step.kind === 'unit' && step.unit === whileService(name)),
  );
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
