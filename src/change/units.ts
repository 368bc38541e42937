import type { SystemdLink } from '../backend/systemd-link.ts';
import { busErrorName } from '../dbus/errors.ts';
import { jobFailure } from '../dbus/jobs.ts';
import { type Manager, UNIT_INTERFACE } from '../dbus/systemd1.ts';
import { asString } from '../dbus/values.ts';
import { isRunning } from './invert.ts';
import type { UnitStep } from './plan.ts';

/** What steps ask of a systemd. */
export interface UnitControl {
  /** A job, awaited; resolves when it was carried out. Stopping what is not loaded is done already. */
  job(verb: UnitStep['verb'], unit: string): Promise<void>;
  /** Drops failed state and start limit; nothing where the unit is not loaded. */
  resetFailed(unit: string): Promise<void>;
  reload(): Promise<void>;
  state(unit: string): Promise<UnitState>;
}

export interface UnitState {
  /** systemd's ActiveState; `inactive` for a unit that is not loaded. */
  readonly activeState: string;
  /** Since when it is active, in ms since 1970; 0 where it is not. */
  readonly activeSinceMs: number;
}

/** A daemon with many containers takes minutes to stop; its unit's own time limits end a job earlier. */
const JOB_TIMEOUT_MS = 600_000;

const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit';

/**
 * A manager over D-Bus. All calls are repeated when the bus or the manager is gone for a moment: each may be done twice.
 */
export function unitControl(link: SystemdLink): UnitControl {
  const ask = <T>(work: (manager: Manager) => Promise<T>): Promise<T> => link.persist(({ manager }) => work(manager));
  return {
    job: (verb, unit) =>
      link.persist(async ({ manager, jobs }) => {
        try {
          const options = { unit, timeoutMs: JOB_TIMEOUT_MS, ...link.jobDeadline };
          const failure = jobFailure(await jobs.run(() => START[verb](manager, unit), options));
          if (failure) throw failure;
        } catch (error) {
          if (verb !== 'stop' || busErrorName(error) !== NO_SUCH_UNIT) throw error;
        }
      }),
    resetFailed: (unit) => ask((manager) => unlessAbsent(manager.resetFailedUnit(unit), undefined)),
    reload: () => ask((manager) => manager.reload()),
    state: (unit) => ask((manager) => unlessAbsent(readState(manager, unit), NOT_LOADED)),
  };
}

const START: Readonly<Record<UnitStep['verb'], (manager: Manager, unit: string) => Promise<string>>> = {
  start: (manager, unit) => manager.startUnit(unit, 'replace'),
  stop: (manager, unit) => manager.stopUnit(unit, 'replace'),
  restart: (manager, unit) => manager.restartUnit(unit, 'replace'),
  reload: (manager, unit) => manager.reloadUnit(unit, 'replace'),
};

const NOT_LOADED: UnitState = { activeState: 'inactive', activeSinceMs: 0 };

async function readState(manager: Manager, unit: string): Promise<UnitState> {
  const path = await manager.getUnit(unit);
  const found = await manager.getAll(path, UNIT_INTERFACE);
  const activeState = asString(found.ActiveState, 'an active state');
  // systemd keeps the time of the last start also for a unit that has stopped.
  const since = isRunning(activeState) ? found.ActiveEnterTimestamp : 0n;
  return { activeState, activeSinceMs: typeof since === 'bigint' ? Number(since / 1000n) : 0 };
}

async function unlessAbsent<T>(answer: Promise<T>, absent: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (busErrorName(error) === NO_SUCH_UNIT) return absent;
    throw error;
  }
}
