import { constants } from 'node:os';
import { SlicectlError } from '../core/errors.ts';
import { busErrorName } from '../dbus/errors.ts';
import { typeInterface, UNIT_INTERFACE, unitPath } from '../dbus/systemd1.ts';
import type { Ending, ServiceEnd } from './backend.ts';
import type { Session, SystemdLink } from './systemd-link.ts';
import { dropReferences } from './systemd-reference.ts';
import { NO_SUCH_UNIT } from './systemd-start.ts';

export interface ServiceResult extends ServiceEnd {
  readonly result: Ending;
}

export interface ServiceWatch {
  readonly ended: Promise<ServiceResult>;
  /** The service has been started: what the unit shows from now on is its own, not that of a failed one before it. */
  begin(): void;
  /** ExecMainStatus as it is now, for a service that failed to start; undefined when its unit is gone. */
  status(): Promise<number | undefined>;
  stop(): void;
}

/** ExecMainCode is waitid(2)'s si_code. */
const CLD_EXITED = 1;

/**
 * Follows a service to its end by PropertiesChanged, over restarts of the manager and of the bus: after each, the
 * subscription and the reference are renewed and the state is read anew, since what came between is lost
 * (https://github.com/systemd/systemd/issues/27204).
 */
export async function watchService(link: SystemdLink, unit: string): Promise<ServiceWatch> {
  const path = unitPath(unit);
  let settle: (result: ServiceResult) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<ServiceResult>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  // The watch can fail before anybody awaits it.
  ended.catch(() => undefined);
  let hasBegun = false;
  let isOver = false;

  const look = async ({ manager }: Session): Promise<void> => {
    if (isOver || !hasBegun) return;
    const state = await manager.get(path, UNIT_INTERFACE, 'ActiveState').catch((error: unknown) => {
      if (busErrorName(error) === NO_SUCH_UNIT || isUnknownObject(error)) return 'gone';
      throw error;
    });
    if (state === 'gone') return end(() => fail(goneError(unit)));
    if (state !== 'inactive' && state !== 'failed') return;
    const values = await manager.getAll(path, typeInterface(unit));
    // A unit that was unloaded is loaded again by the question, empty.
    if (values.ExecMainCode === 0) return end(() => fail(goneError(unit)));
    const status = Number(values.ExecMainStatus);
    const hasExited = values.ExecMainCode === CLD_EXITED;
    const exit = hasExited ? { code: status, signal: null } : { code: null, signal: signalName(status) };
    const ranUsec = toBigInt(values.ExecMainExitTimestampMonotonic) - toBigInt(values.ExecMainStartTimestampMonotonic);
    end(() => settle({ ...exit, ranUsec, result: String(values.Result) }));
  };

  let queue = Promise.resolve();
  const lookSoon = (): void => {
    queue = queue.then(() => link.persist(look)).catch((error: unknown) => end(() => fail(error)));
  };
  const listen = async (): Promise<void> => {
    const { manager } = await link.session();
    const rule = { path, interface: 'org.freedesktop.DBus.Properties', member: 'PropertiesChanged' };
    // The signals are sent to nobody unless somebody has subscribed to the manager.
    await Promise.all([manager.subscribe(), manager.bus.subscribe(rule, lookSoon)]);
  };
  const stopWaiting = link.wait({
    onReconnected: () => {
      link
        .persist(async ({ manager }) => {
          await listen();
          await manager.refUnit(unit).catch((error: unknown) => {
            if (busErrorName(error) !== NO_SUCH_UNIT) throw error;
          });
        })
        .then(lookSoon, (error: unknown) => end(() => fail(error)));
    },
    onGivenUp: (reason) => end(() => fail(reason)),
  });
  const end = (how: () => void): void => {
    if (isOver) return;
    isOver = true;
    stopWaiting();
    dropReferences(link, unit).catch(() => undefined);
    how();
  };
  await listen();
  const status = async (): Promise<number | undefined> => {
    const { manager } = await link.session();
    const value = await manager.get(path, typeInterface(unit), 'ExecMainStatus').catch(() => undefined);
    return typeof value === 'number' ? value : undefined;
  };
  const begin = (): void => {
    hasBegun = true;
    lookSoon();
  };
  return { ended, begin, status, stop: () => end(() => undefined) };
}

function toBigInt(value: unknown): bigint {
  return typeof value === 'bigint' ? value : 0n;
}

function isUnknownObject(error: unknown): boolean {
  return busErrorName(error) === 'org.freedesktop.DBus.Error.UnknownObject';
}

function signalName(number: number): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return (found?.[0] ?? 'SIGKILL') as NodeJS.Signals;
}

function goneError(unit: string): SlicectlError {
  return new SlicectlError(
    'E_BUS_LOST',
    `${unit} ended while the connection to systemd was lost, and its result with it`,
    {
      hint: `journalctl -u ${unit} may tell`,
      data: { unit },
    },
  );
}
