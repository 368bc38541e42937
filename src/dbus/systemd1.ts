import { SlicectlError } from '../core/errors.ts';
import { type ManagerVersion, parseVersion } from './names.ts';
import type { Bus } from './types.ts';
import { asArray, asNumber, asRecord, asString, type Variant, variant } from './values.ts';

export { type ManagerVersion, unitNameOf, unitPath } from './names.ts';

export const SYSTEMD = 'org.freedesktop.systemd1';
export const MANAGER_PATH = '/org/freedesktop/systemd1';
export const MANAGER_INTERFACE = 'org.freedesktop.systemd1.Manager';
/** State, jobs, dependencies. The cgroup properties are not here but on the type's interface: see `typeInterface`. */
export const UNIT_INTERFACE = 'org.freedesktop.systemd1.Unit';

/** A unit's property with its D-Bus signature: numbers for `u` and `i`, bigint for `t`, lists for arrays and structs. */
export type Property = readonly [name: string, signature: string, value: unknown];

/** A further unit that one StartTransientUnit call makes along with the first, for example the scope's own slice. */
export type AuxiliaryUnit = readonly [name: string, properties: readonly Property[]];

/**
 * What a job may do to jobs that are queued already. `fail` refuses with TransactionIsDestructive where `replace` would
 * cancel a queued job of the same unit.
 */
export type JobMode =
  | 'replace'
  | 'fail'
  | 'isolate'
  | 'ignore-dependencies'
  | 'ignore-requirements'
  | 'flush'
  | 'triggering'
  | 'restart-dependencies'
  | 'replace-irreversibly'
  | 'lenient';

/** Which of the unit's processes a signal is for. A scope has no `main` and no `control` process. */
export type KillWhom =
  | 'main'
  | 'control'
  | 'all'
  | 'main-fail'
  | 'control-fail'
  | 'all-fail'
  | 'cgroup'
  | 'cgroup-fail';

/** One row of ListUnits: all words are systemd's own, new ones come with new versions. */
export interface UnitStatus {
  readonly name: string;
  readonly description: string;
  readonly loadState: string;
  readonly activeState: string;
  readonly subState: string;
  /** The unit that this one follows in its state, or empty. */
  readonly followed: string;
  readonly path: string;
  /** 0 when no job is queued for the unit. */
  readonly jobId: number;
  readonly jobType: string;
  readonly jobPath: string;
}

export interface UnitProcess {
  /** Path of the process's cgroup below the cgroup root. */
  readonly cgroup: string;
  readonly pid: number;
  readonly command: string;
}

// systemd answers Reload when it has reloaded, which takes long on a host with thousands of units.
const RELOAD_TIMEOUT_MS = 90_000;

/**
 * `org.freedesktop.systemd1.Manager` of the bus's manager, method for method. All methods that start or stop answer
 * with the path of a job that is only queued: hand them to `Jobs.run`.
 */
export class Manager {
  readonly bus: Bus;

  constructor(bus: Bus) {
    this.bus = bus;
  }

  /**
   * Makes the manager send its signals (UnitNew, PropertiesChanged, Reloading…) for all units. Only for watchers: each
   * subscribed client makes PID 1 work for every unit of the host. A caller's own jobs are reported without it.
   * Twice on a connection is no error.
   */
  async subscribe(): Promise<void> {
    try {
      await this.#call('Subscribe');
    } catch (error) {
      if (!(error instanceof SlicectlError) || error.data.name !== `${SYSTEMD}.AlreadySubscribed`) throw error;
    }
  }

  /**
   * Makes and starts a unit. One property that this systemd does not know, or that has a bad value, refuses the whole call
   * (PropertyReadOnly, InvalidArgs) and makes nothing. `E_UNIT_EXISTS` if the name is loaded.
   */
  startTransientUnit(
    name: string,
    mode: JobMode,
    properties: readonly Property[],
    aux: readonly AuxiliaryUnit[] = [],
  ): Promise<string> {
    const units = aux.map(([auxName, auxProperties]) => [auxName, auxProperties.map(toWire)]);
    return this.#job('StartTransientUnit', 'ssa(sv)a(sa(sv))', [name, mode, properties.map(toWire), units], name);
  }

  startUnit(name: string, mode: JobMode): Promise<string> {
    return this.#job('StartUnit', 'ss', [name, mode], name);
  }

  /** Stops a unit: SIGTERM, then after TimeoutStopUSec SIGKILL. A frozen unit cannot be stopped before it is thawed. */
  stopUnit(name: string, mode: JobMode): Promise<string> {
    return this.#job('StopUnit', 'ss', [name, mode], name);
  }

  /** Restarts a unit, or starts it if it does not run. */
  restartUnit(name: string, mode: JobMode): Promise<string> {
    return this.#job('RestartUnit', 'ss', [name, mode], name);
  }

  /** Makes a unit read its configuration again, by its ExecReload=; refused for one that has none or does not run. */
  reloadUnit(name: string, mode: JobMode): Promise<string> {
    return this.#job('ReloadUnit', 'ss', [name, mode], name);
  }

  /** Sends a signal to the unit's processes. The forms with `-fail` refuse when there was none. */
  async killUnit(name: string, whom: KillWhom, signal: number): Promise<void> {
    await this.#call('KillUnit', 'ssi', [name, whom, signal], name);
  }

  /** Drops the failed state, and with it a failed transient unit. A unit that runs is left alone. */
  async resetFailedUnit(name: string): Promise<void> {
    await this.#call('ResetFailedUnit', 's', [name], name);
  }

  /**
   * Changes properties of a loaded unit, all or none. `runtime` false makes it last, except for a transient unit, whose
   * settings never outlive it. Array properties append: an empty array resets.
   */
  async setUnitProperties(name: string, runtime: boolean, properties: readonly Property[]): Promise<void> {
    await this.#call('SetUnitProperties', 'sba(sv)', [name, runtime, properties.map(toWire)], name);
  }

  /** Since 246. Answers when all processes are frozen. */
  async freezeUnit(name: string): Promise<void> {
    await this.#call('FreezeUnit', 's', [name], name);
  }

  /** Since 246. Refused with FrozenByParent while an ancestor is frozen (256). */
  async thawUnit(name: string): Promise<void> {
    await this.#call('ThawUnit', 's', [name], name);
  }

  /** The object path of a loaded unit; `E_BUS` with NoSuchUnit for one that is not loaded. It loads nothing. */
  async getUnit(name: string): Promise<string> {
    return this.#path('GetUnit', 's', [name], name);
  }

  /** The unit of a process; 0 is the caller. `E_BUS` with NoUnitForPID if no unit has it. */
  async getUnitByPID(pid: number): Promise<string> {
    return this.#path('GetUnitByPID', 'u', [pid], `process ${pid}`);
  }

  /** Since 239. The unit of a cgroup path or of its closest ancestor that has one. */
  async getUnitByControlGroup(cgroup: string): Promise<string> {
    return this.#path('GetUnitByControlGroup', 's', [cgroup], cgroup);
  }

  /** Since 232. Keeps the unit loaded, with its last state and figures, while this connection lives. */
  async refUnit(name: string): Promise<void> {
    await this.#call('RefUnit', 's', [name], name);
  }

  /** Since 232. Gives back one reference of this connection: by `refUnit`, or by the property AddRef. */
  async unrefUnit(name: string): Promise<void> {
    await this.#call('UnrefUnit', 's', [name], name);
  }

  /** Since 230. Loaded units whose name fits one glob and whose states fit one word; an empty list means any. */
  async listUnitsByPatterns(states: readonly string[], patterns: readonly string[]): Promise<readonly UnitStatus[]> {
    return toStatuses(await this.#call('ListUnitsByPatterns', 'asas', [states, patterns]));
  }

  /** Since 230. One row for each name, in order, also for a unit that is not loaded (load state `not-found`). */
  async listUnitsByNames(names: readonly string[]): Promise<readonly UnitStatus[]> {
    return toStatuses(await this.#call('ListUnitsByNames', 'as', [names]));
  }

  /** Since 230. The processes of a unit with those of its sub-cgroups. */
  async getUnitProcesses(name: string): Promise<readonly UnitProcess[]> {
    const [rows] = await this.#call('GetUnitProcesses', 's', [name], name);
    return asArray(rows, 'the processes of a unit').map((row) => {
      const [cgroup, pid, command] = asArray(row, 'a process');
      return {
        cgroup: asString(cgroup, 'a cgroup'),
        pid: asNumber(pid, 'a PID'),
        command: asString(command, 'a command'),
      };
    });
  }

  /**
   * Since 238. Moves processes into a sub-cgroup (absolute below the unit's, `/` for its own) of an active, delegated
   * unit. The unit's user must own the processes.
   */
  async attachProcessesToUnit(name: string, subcgroup: string, pids: readonly number[]): Promise<void> {
    await this.#call('AttachProcessesToUnit', 'ssau', [name, subcgroup, pids], name);
  }

  /** Reads all unit files again (`systemctl daemon-reload`), and applies every unit's properties to its cgroup again. */
  async reload(): Promise<void> {
    await this.#call('Reload', undefined, [], undefined, RELOAD_TIMEOUT_MS);
  }

  /** One property. 64-bit figures that are not known read 2^64-1. */
  async get(path: string, iface: string, property: string): Promise<unknown> {
    const [value] = await this.#properties(path, 'Get', 'ss', [iface, property], property);
    return value;
  }

  /** All properties of one interface. For a unit that is not loaded this loads and drops it again: ask `getUnit` first. */
  async getAll(path: string, iface: string): Promise<Readonly<Record<string, unknown>>> {
    const [values] = await this.#properties(path, 'GetAll', 's', [iface], iface);
    return asRecord(values, 'the properties');
  }

  async version(): Promise<ManagerVersion> {
    return parseVersion(asString(await this.get(MANAGER_PATH, MANAGER_INTERFACE, 'Version'), "systemd's version"));
  }

  /** The manager's own cgroup: empty for PID 1 on most hosts, `/user.slice/…/user@1000.service` for a user's manager. */
  async managerControlGroup(): Promise<string> {
    return asString(await this.get(MANAGER_PATH, MANAGER_INTERFACE, 'ControlGroup'), "the manager's cgroup");
  }

  #call(
    member: string,
    signature?: string,
    body: readonly unknown[] = [],
    about?: string,
    timeoutMs?: number,
  ): Promise<readonly unknown[]> {
    return this.bus.call(
      {
        destination: SYSTEMD,
        path: MANAGER_PATH,
        interface: MANAGER_INTERFACE,
        member,
        ...(signature !== undefined && { signature, body }),
      },
      { ...(about !== undefined && { about }), ...(timeoutMs !== undefined && { timeoutMs }) },
    );
  }

  async #path(member: string, signature: string, body: readonly unknown[], about: string): Promise<string> {
    const [path] = await this.#call(member, signature, body, about);
    return asString(path, `the answer of ${member}`);
  }

  #job(member: string, signature: string, body: readonly unknown[], unit: string): Promise<string> {
    return this.#path(member, signature, body, unit);
  }

  #properties(
    path: string,
    member: string,
    signature: string,
    body: readonly unknown[],
    about: string,
  ): Promise<readonly unknown[]> {
    const iface = 'org.freedesktop.DBus.Properties';
    return this.bus.call({ destination: SYSTEMD, path, interface: iface, member, signature, body }, { about });
  }
}

/** The interface that has a unit's cgroup and type properties: `org.freedesktop.systemd1.Scope` for `a.scope`. */
export function typeInterface(unit: string): string {
  const suffix = unit.slice(unit.lastIndexOf('.') + 1);
  return `${SYSTEMD}.${suffix.charAt(0).toUpperCase()}${suffix.slice(1)}`;
}

function toWire([name, signature, value]: Property): readonly [string, Variant] {
  return [name, variant(signature, value)];
}

function toStatuses([rows]: readonly unknown[]): readonly UnitStatus[] {
  return asArray(rows, 'the list of units').map((row) => {
    const [name, description, loadState, activeState, subState, followed, path, jobId, jobType, jobPath] = asArray(
      row,
      'a unit',
    );
    return {
      name: asString(name, 'a unit name'),
      description: asString(description, 'a description'),
      loadState: asString(loadState, 'a load state'),
      activeState: asString(activeState, 'an active state'),
      subState: asString(subState, 'a sub-state'),
      followed: asString(followed, 'a followed unit'),
      path: asString(path, 'a unit path'),
      jobId: asNumber(jobId, 'a job id'),
      jobType: asString(jobType, 'a job type'),
      jobPath: asString(jobPath, 'a job path'),
    };
  });
}
