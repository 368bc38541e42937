import type { Session, SystemdLink } from '../../backend/systemd-link.ts';
import { SlicectlError } from '../../core/errors.ts';
import { SYSTEMD, typeInterface, UNIT_INTERFACE } from '../../dbus/systemd1.ts';
import { asArray, asNumber, asString } from '../../dbus/values.ts';

/** What systemd has loaded for a service, which the files may have left behind. */
export interface LoadedUnit {
  /** Its own name; the one that was asked for can be an alias. */
  readonly id: string;
  /** `loaded`, `not-found`, `bad-setting`, `error`, `masked`. */
  readonly loadState: string;
  /** systemd's reason where it could not load the unit. */
  readonly loadError: string | undefined;
  readonly activeState: string;
  readonly subState: string;
  /** `success`, or why it failed last: `exit-code`, `start-limit-hit`… */
  readonly result: string;
  /** Undefined where no main process runs. */
  readonly mainPid: number | undefined;
  /** Files have changed since they were loaded. */
  readonly needDaemonReload: boolean;
  readonly fragmentPath: string | undefined;
  readonly dropInPaths: readonly string[];
  /** argv of the last command of ExecStart=, variables not expanded; empty where there is none. */
  readonly execStart: readonly string[];
  /** `NAME=value` of Environment=. */
  readonly environment: readonly string[];
  /** Paths of EnvironmentFile=, without `-`. */
  readonly environmentFiles: readonly string[];
  /** When it became active, in milliseconds since 1970; undefined when it never did. */
  readonly activeEnterTimestampMs: number | undefined;
  readonly controlGroup: string;
}

/**
 * A service as the manager has it, or undefined when it is not loaded or there is no such unit. Asks again after a loss
 * of the bus; rejects with `E_NO_BUS`, `E_BUS` or `E_TIMEOUT` where it does not answer.
 */
export function readLoaded(link: SystemdLink, unit: string): Promise<LoadedUnit | undefined> {
  return link.persist(async (session) => {
    const path = await pathOf(session, unit);
    if (path === undefined) return undefined;
    const [of, service] = await Promise.all([
      session.manager.getAll(path, UNIT_INTERFACE),
      session.manager.getAll(path, typeInterface(unit)),
    ]);
    const loadState = asString(of.LoadState, 'LoadState');
    return loadState === 'not-found' ? undefined : toLoaded(of, service, loadState);
  });
}

async function pathOf({ manager }: Session, unit: string): Promise<string | undefined> {
  try {
    return await manager.getUnit(unit);
  } catch (error) {
    if (error instanceof SlicectlError && error.data.name === `${SYSTEMD}.NoSuchUnit`) return undefined;
    throw error;
  }
}

type Properties = Readonly<Record<string, unknown>>;

function toLoaded(of: Properties, service: Properties, loadState: string): LoadedUnit {
  const mainPid = asNumber(service.MainPID ?? 0, 'MainPID');
  const [, loadError] = asArray(of.LoadError ?? ['', ''], 'LoadError');
  const command = asArray(service.ExecStart ?? [], 'ExecStart').at(-1);
  const since = Number(of.ActiveEnterTimestamp ?? 0);
  return {
    id: asString(of.Id, 'Id'),
    loadState,
    loadError: textOrNone(loadError),
    activeState: asString(of.ActiveState, 'ActiveState'),
    subState: asString(of.SubState, 'SubState'),
    result: asString(service.Result ?? '', 'Result'),
    mainPid: mainPid === 0 ? undefined : mainPid,
    needDaemonReload: of.NeedDaemonReload === true,
    fragmentPath: textOrNone(of.FragmentPath),
    dropInPaths: texts(of.DropInPaths, 'DropInPaths'),
    execStart: command === undefined ? [] : texts(asArray(command, 'a command')[1], 'argv'),
    environment: texts(service.Environment, 'Environment'),
    environmentFiles: asArray(service.EnvironmentFiles ?? [], 'EnvironmentFiles').map((row) =>
      asString(asArray(row, 'an environment file')[0], 'a path'),
    ),
    activeEnterTimestampMs: since === 0 ? undefined : Math.floor(since / 1000),
    controlGroup: asString(service.ControlGroup ?? '', 'ControlGroup'),
  };
}

function textOrNone(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function texts(value: unknown, what: string): string[] {
  return asArray(value ?? [], what).map((text) => asString(text, what));
}
