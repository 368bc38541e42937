import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../core/errors.ts';
import type { AskedLimits } from '../core/limits.ts';
import { busErrorName } from '../dbus/errors.ts';
import { jobFailure } from '../dbus/jobs.ts';
import { type Manager, UNIT_INTERFACE, unitPath } from '../dbus/systemd1.ts';
import type { HostPaths } from '../host/paths.ts';
import type { CallStep, SettledLimits } from './backend.ts';
import { isUnreachable, type Session, type SystemdLink } from './systemd-link.ts';
import { type SystemdFacts, systemdUnable } from './systemd-plan.ts';
import { settle } from './systemd-settle.ts';

export const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit';

/** What scopes and services are made with. */
export interface SystemdContext {
  readonly link: SystemdLink;
  readonly paths: HostPaths;
  readonly facts: SystemdFacts;
  readonly pageSize: bigint;
  readonly nextId: () => string;
}

export function settleFor(
  { facts, paths, pageSize }: SystemdContext,
  asked: AskedLimits,
  bestEffort: boolean,
): SettledLimits {
  return settle(asked, { paths, systemd: facts.version, pageSize, bestEffort, unable: systemdUnable(facts) });
}

/** Whether the unit that was asked for is there, after an attempt whose answer was lost. */
export type IsMade = (session: Session) => boolean | Promise<boolean>;

/**
 * Makes a unit. A reply that was lost with the connection does not tell whether it was made, so `isMade` is asked before
 * each further attempt and after each failure of one. A failed or dead unit of that name is cleared away once; one that
 * runs is refused. Gives the number of attempts: what AddRef took in an earlier one went with its connection.
 */
export async function startUnit(link: SystemdLink, step: CallStep, isMade: IsMade): Promise<number> {
  let attempts = 0;
  let wasCleared = false;
  await link.persist(async (session) => {
    attempts += 1;
    if (attempts > 1 && (await isMade(session))) return;
    try {
      await startOnce(link, session, step);
    } catch (error) {
      if (!(error instanceof SlicectlError)) throw error;
      if (isUnreachable(error) && (await isMade(session))) return;
      if (error.code !== 'E_UNIT_EXISTS') throw error;
      if (attempts > 1 && (await isMadeSoon(session, isMade))) return;
      if (wasCleared || !(await clearLeftover(session.manager, step.unit))) throw nameInUse(step.unit, error);
      wasCleared = true;
      await startOnce(link, session, step);
    }
  });
  return attempts;
}

/** The name is taken, by a unit that an earlier attempt may have queued and systemd is about to start. */
async function isMadeSoon(session: Session, isMade: IsMade): Promise<boolean> {
  for (const pause of [0, 50, 100, 200, 400, 800]) {
    await sleep(pause);
    if (await isMade(session)) return true;
  }
  return false;
}

async function startOnce(link: SystemdLink, { manager, jobs }: Session, step: CallStep): Promise<void> {
  const auxiliary = step.auxiliary.map(({ unit, properties }) => [unit, properties] as const);
  const start = (): Promise<string> => manager.startTransientUnit(step.unit, 'fail', step.properties, auxiliary);
  const failure = jobFailure(await jobs.run(start, { unit: step.unit, ...link.jobDeadline }));
  if (failure) throw failure;
}

/**
 * Takes away a failed or dead unit of that name, never one that runs: somebody else's work can be in it
 * (https://github.com/containers/crun/pull/331).
 */
async function clearLeftover(manager: Manager, unit: string): Promise<boolean> {
  try {
    const state = await manager.get(unitPath(unit), UNIT_INTERFACE, 'ActiveState');
    if (state !== 'failed' && state !== 'inactive') return false;
    await manager.resetFailedUnit(unit);
  } catch (error) {
    // It went by itself between the two calls.
    if (busErrorName(error) !== NO_SUCH_UNIT) throw error;
  }
  return true;
}

function nameInUse(unit: string, cause: SlicectlError): SlicectlError {
  return new SlicectlError('E_UNIT_EXISTS', `the unit name ${unit} is in use`, {
    hint: `choose another --unit, or stop it: systemctl stop ${unit}`,
    data: { unit },
    cause,
  });
}

/** After a start that failed for want of the bus, another long wait would help nobody. */
const UNDO_PATIENCE_MS = 3_000;

/** Takes back the job's slice after a failed start; a scope or service goes by its CollectMode. */
export async function dropSlice(link: SystemdLink, slice: string): Promise<void> {
  try {
    await link.persist(({ manager }) => manager.stopUnit(slice, 'replace'), UNDO_PATIENCE_MS);
  } catch (error) {
    // The start's own error is the one to report; what stays here, a sweep finds by its name.
    if (!(error instanceof SlicectlError)) throw error;
  }
}
