import type { CgroupDriver } from '../model.ts';
import { type Dialect, isVersion2 } from './dialect.ts';
import type { LoadedConfig } from './load.ts';
import { findLeaf, findTable, type Leaf, type Table } from './tree.ts';

/** The key that says whether systemd makes a runtime's cgroups. */
export const SWITCH = 'SystemdCgroup';
export const RUNC_TYPE = 'io.containerd.runc.v2';
/** Of containerd 1.x, ruled by the plugin's `systemd_cgroup` where it has no options. */
const LINUX_TYPE = 'io.containerd.runtime.v1.linux';
/** Shims that 2.0 has dropped. */
const GONE_TYPES: readonly string[] = ['io.containerd.runc.v1', LINUX_TYPE];
const BUILT_IN = 'runc';

/** A table below `containerd.runtimes`, or one of the older forms, whose containers are made by runc or its like. */
export interface RuntimeTable {
  readonly name: string;
  /** Undefined where the table does not say, which is a fault on all but the built-in `runc` of 2.0 and later. */
  readonly type: string | undefined;
  /** Where it is written; undefined for the built-in one that no file mentions. */
  readonly table: Table | undefined;
  /** The value that decides; undefined for the default, which is no. */
  readonly decider: Leaf | undefined;
  /** Undefined for a value that is no boolean: its containers cannot be made. */
  readonly driver: CgroupDriver | undefined;
  readonly isDefault: boolean;
  /** Whether CRI RuntimeConfig sees its driver: it passes over tables without options. */
  readonly hasOptions: boolean;
}

/** The runtimes whose driver is set here, the default one first and others by name, as RuntimeConfig goes through them. */
export function runtimeTables({ cri }: LoadedConfig, dialect: Dialect): readonly RuntimeTable[] {
  const containerd = findTable(cri, ['containerd']);
  const written = findTable(containerd, ['runtimes']);
  const tables = new Map<string, Table | undefined>();
  if (written === undefined || dialect.builtIn !== 'goes') tables.set(BUILT_IN, undefined);
  for (const [name, node] of written?.below ?? []) if (node.kind === 'table') tables.set(name, node);
  const older = isVersion2(dialect) ? [] : olderForms(containerd);
  for (const [name, table] of older) tables.set(name, table);
  const named = findLeaf(containerd, ['default_runtime_name'])?.value;
  const first = older.some(([name]) => name === 'default') ? 'default' : typeof named === 'string' ? named : BUILT_IN;
  return [...tables]
    .map(([name, table]) => runtimeTable(name, table, first, cri, dialect))
    .filter((runtime) => isRunc(runtime, dialect))
    .sort((a, b) => Number(b.isDefault) - Number(a.isDefault) || (a.name < b.name ? -1 : 1));
}

/** `default_runtime` and `untrusted_workload_runtime` of 1.x, which are runtimes where they have a type. */
function olderForms(containerd: Table | undefined): readonly (readonly [string, Table])[] {
  const forms = [
    ['default', 'default_runtime'],
    ['untrusted', 'untrusted_workload_runtime'],
  ] as const;
  return forms.flatMap(([name, key]) => {
    const table = findTable(containerd, [key]);
    const type = findLeaf(table, ['runtime_type'])?.value ?? '';
    return table === undefined || type === '' ? [] : [[name, table] as const];
  });
}

function runtimeTable(
  name: string,
  table: Table | undefined,
  first: string,
  cri: Table | undefined,
  dialect: Dialect,
): RuntimeTable {
  const written = findLeaf(table, ['runtime_type'])?.value;
  const isBuiltIn = name === BUILT_IN && (table === undefined || dialect.builtIn === 'under');
  const type = typeof written === 'string' && written !== '' ? written : isBuiltIn ? RUNC_TYPE : undefined;
  const options = findTable(table, ['options']);
  const decider = switchOf(options) ?? (type === LINUX_TYPE && options === undefined ? pluginSwitch(cri) : undefined);
  return {
    name,
    type,
    table,
    decider,
    driver: driverOf(decider),
    isDefault: name === first,
    hasOptions: options !== undefined || isBuiltIn,
  };
}

/** `systemd_cgroup` of the plugin as a whole. */
export function pluginSwitch(cri: Table | undefined): Leaf | undefined {
  return findLeaf(cri, ['systemd_cgroup']);
}

/** Go's TOML readers take the name in any case. */
function switchOf(options: Table | undefined): Leaf | undefined {
  const exact = findLeaf(options, [SWITCH]);
  if (exact !== undefined) return exact;
  const other = [...(options?.below.keys() ?? [])].find((key) => key.toLowerCase() === SWITCH.toLowerCase());
  return other === undefined ? undefined : findLeaf(options, [other]);
}

function driverOf(decider: Leaf | undefined): CgroupDriver | undefined {
  if (decider === undefined) return 'cgroupfs';
  if (typeof decider.value !== 'boolean') return undefined;
  return decider.value ? 'systemd' : 'cgroupfs';
}

function isRunc({ type }: RuntimeTable, dialect: Dialect): boolean {
  if (type === undefined || type === RUNC_TYPE || isTemplate(type)) return true;
  return !isVersion2(dialect) && GONE_TYPES.includes(type);
}

/** The tables that 2.0 and later cannot use for that, by name. */
export function goneShims({ cri }: LoadedConfig, dialect: Dialect): readonly (readonly [name: string, type: Leaf])[] {
  if (!isVersion2(dialect)) return [];
  return [...(findTable(cri, ['containerd', 'runtimes'])?.below ?? [])].flatMap(([name, node]) => {
    const type = node.kind === 'table' ? findLeaf(node, ['runtime_type']) : undefined;
    return type !== undefined && GONE_TYPES.includes(String(type.value)) ? [[name, type] as const] : [];
  });
}

/** `${RUNTIME}`, as in the template that MicroK8s makes its file from. */
export function isTemplate(text: string): boolean {
  return text.includes('${');
}

export function isLinuxShim({ type }: RuntimeTable): boolean {
  return type === LINUX_TYPE;
}

/**
 * What CRI RuntimeConfig of 2.0 and later tells a kubelet: the driver of the first runtime with options; undefined where
 * none has any, when it says systemd where systemd runs.
 */
export function announced(tables: readonly RuntimeTable[]): CgroupDriver | undefined {
  return tables.find(({ hasOptions, type }) => hasOptions && type === RUNC_TYPE)?.driver;
}
