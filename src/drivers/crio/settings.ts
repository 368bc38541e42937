import { quote } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { daemonFault } from '../faults.ts';
import { findKey, findString, type GoTomlFile, keyText, readGoToml, strayKeys } from '../formats/go-toml.ts';
import { CGROUP_DRIVERS, type CgroupDriver, type Configured, type Finding, type Source } from '../model.ts';
import { type CrioPlaces, walk } from './files.ts';
import { type CrioRules, type Monitors, pairFault } from './versions.ts';

export const MANAGER_KEY = ['crio', 'runtime', 'cgroup_manager'] as const;
export const MONITOR_KEY = ['crio', 'runtime', 'conmon_cgroup'] as const;

/** One place that sets something. */
export interface Setting {
  readonly value: string;
  readonly source: Source;
}

/** What files, options and variables say, together. */
export interface CrioSettings {
  /** In the order in which they count: the last one wins. */
  readonly managers: readonly Setting[];
  readonly monitors: readonly Setting[];
  readonly listen: string;
  readonly findings: readonly Finding[];
  readonly configured: Configured;
}

const SOCKET = '/var/run/crio/crio.sock';
const DEFAULT_RUNTIMES = ['runc', 'crun'];
const CONSEQUENCE = 'CRI-O does not start';

/** Reads all that CRI-O would read at its next start. What makes it fail is a finding of severity error. */
export function readSettings(tree: RootTree, places: CrioPlaces, rules: CrioRules): CrioSettings {
  const findings: Finding[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      findings.push(daemonFault(error, 'crio-fault', CONSEQUENCE));
      return undefined;
    }
  };
  const managers: Setting[] = [];
  const monitors: Setting[] = [];
  const own = new Map<string, string | undefined>();
  let listen = SOCKET;
  const readOne = (path: string, isRequired: boolean): void => {
    const file = attempt(() => readGoToml(tree, path));
    if (file === undefined) {
      if (isRequired && attempt(() => tree.kind(path)) === 'absent') findings.push(missing(path));
      return;
    }
    const string = (keys: readonly string[]) => attempt(() => findString(file, keys));
    const manager = string(MANAGER_KEY);
    const monitor = string(MONITOR_KEY);
    if (manager) managers.push(settingOf(file, 'cgroup_manager', manager));
    if (monitor) monitors.push(settingOf(file, 'conmon_cgroup', monitor));
    listen = string(['crio', 'api', 'listen'])?.value ?? listen;
    for (const [name, value] of attempt(() => handlersOf(file)) ?? []) own.set(name, value);
    findings.push(...strays(file), ...(manager ? leftOver(file) : []));
  };
  if (places.main !== undefined) readOne(places.main, places.mainRequired);
  for (const path of attempt(() => (places.folder ? walk(tree, places.folder) : [])) ?? []) readOne(path, true);
  if (places.manager) managers.push(places.manager);
  if (places.monitor) monitors.push(places.monitor);
  const definesDefault = DEFAULT_RUNTIMES.some((name) => own.has(name));
  const pair = { common: monitors.at(-1)?.value, own, definesDefault };
  const configured = configuredOf(managers, rules);
  findings.push(...managerFault(configured, managers), ...monitorFault(configured, pair, monitors, rules));
  const isBroken = findings.some(({ severity }) => severity === 'error');
  return {
    managers,
    monitors,
    listen: (places.listen?.value ?? listen).replace(/^unix:(?:\/\/)?/, ''),
    findings,
    configured: isBroken ? { ...configured, driver: undefined } : configured,
  };
}

function configuredOf(managers: readonly Setting[], { systemdByDefault }: CrioRules): Configured {
  const last = managers.at(-1);
  const shadowed = managers.slice(0, -1).map(({ source, value }) => ({ ...source, value }));
  if (last !== undefined) return { driver: driverOf(last.value), source: last.source, shadowed };
  const driver = systemdByDefault ? 'systemd' : 'cgroupfs';
  return { driver, source: { kind: 'default', text: "CRI-O's default" }, shadowed };
}

function driverOf(value: string): CgroupDriver | undefined {
  return CGROUP_DRIVERS.find((driver) => driver === value);
}

function settingOf({ path }: GoTomlFile, key: string, at: { value: string; line: number; column: number }): Setting {
  const { value, line, column } = at;
  return { value, source: { kind: 'file', path, line, column, text: `${key} in [crio.runtime]` } };
}

/** A runtime's table in a later file replaces the one of an earlier file as a whole. Virtual machines have no conmon. */
function handlersOf(file: GoTomlFile): [name: string, monitor: string | undefined][] {
  const table = ['crio', 'runtime', 'runtimes'];
  const names = file.document.keys(findKey(file, table)?.keys ?? table);
  return names.flatMap((name): [string, string | undefined][] => {
    const type = findString(file, [...table, name, 'runtime_type'])?.value ?? '';
    return type === '' || type === 'oci' ? [[name, findString(file, [...table, name, 'monitor_cgroup'])?.value]] : [];
  });
}

function managerFault({ driver, source }: Configured, managers: readonly Setting[]): Finding[] {
  const last = managers.at(-1);
  if (driver !== undefined || last === undefined) return [];
  return [
    {
      severity: 'error',
      code: 'crio-unknown-manager',
      message: `${CONSEQUENCE}: ${source.text} is ${quote(last.value)}, and there are only systemd and cgroupfs, in lower case`,
      hint: 'write cgroup_manager = "systemd"',
      ...placeOf(source),
    },
  ];
}

function monitorFault(
  { driver, source }: Configured,
  pair: Monitors,
  monitors: readonly Setting[],
  rules: CrioRules,
): Finding[] {
  if (driver === undefined || driver === 'none') return [];
  const fault = pairFault(rules, driver, pair);
  if (fault === undefined) return [];
  return [
    {
      severity: 'error',
      code: 'crio-monitor-cgroup',
      message: `${CONSEQUENCE}: ${fault}`,
      hint: 'write conmon_cgroup = "pod" in [crio.runtime], which goes with both managers',
      ...placeOf(monitors.at(-1)?.source ?? source),
    },
  ];
}

function missing(path: string): Finding {
  const message = `${CONSEQUENCE}: ${quote(path)} is not there, and it is named by an option or a link`;
  return { severity: 'error', code: 'crio-fault', message, hint: 'make the file, or take the option away', path };
}

function strays(file: GoTomlFile): Finding[] {
  return strayKeys(file, MANAGER_KEY).map(({ keys, line, column }) => ({
    severity: 'warning',
    code: 'crio-ignored-key',
    message: `CRI-O ignores ${keyText(keys)}: it reads cgroup_manager in [crio.runtime]`,
    hint: 'move it to [crio.runtime]',
    path: file.path,
    line,
    column,
  }));
}

/** Left by editors and package managers; CRI-O reads every file of the folder. */
function leftOver({ path }: GoTomlFile): Finding[] {
  if (!/(?:~|\.(?:bak|old|orig|save|swp|tmp|rpm(?:save|new|orig)|dpkg-(?:old|dist|new|bak)))$/.test(path)) return [];
  const message = `CRI-O reads ${quote(path)} as well: it takes every file of that folder, whatever its name`;
  return [{ severity: 'warning', code: 'crio-left-over', message, hint: 'move it to another folder', path }];
}

function placeOf({ path, line, column }: Source): Pick<Finding, 'path' | 'line' | 'column'> {
  return {
    ...(path !== undefined && { path }),
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
  };
}
