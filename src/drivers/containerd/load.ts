import { posix } from 'node:path';
import { readState } from '../../change/file-step.ts';
import type { FileState } from '../../change/plan.ts';
import { type ConfigText, decodeConfig } from '../../core/config-text.ts';
import { quote, SlicectlError } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { parseToml } from '../formats/toml.ts';
import type { Finding } from '../model.ts';
import { CRI_V1, CRI_V2, CRI_V3, type Dialect, isVersion2 } from './dialect.ts';
import { importedPaths } from './glob.ts';
import {
  findLeaf,
  findTable,
  type Leaf,
  merged,
  type Node,
  type Place,
  type Table,
  treeOf,
  withEntry,
} from './tree.ts';

/** One file of the configuration, as it lies there. */
export interface ConfigFile {
  readonly path: string;
  /** Where `path` leads when it is a link. */
  readonly target: string;
  readonly state: FileState;
  readonly mtimeMs: number;
  readonly text: ConfigText;
  readonly tree: Table;
  /** `version =`, 0 without one. */
  readonly header: number;
}

/** The configuration as containerd has it after reading all files. */
export interface LoadedConfig {
  /** In the order in which they are read; later ones win. None where the main file is absent. */
  readonly files: readonly ConfigFile[];
  /** The `version =` that counts in the end. */
  readonly version: number;
  /** The CRI plugin's runtimes section; undefined where no file that counts has one. */
  readonly cri: Table | undefined;
  /** The settings outside of the plugins. */
  readonly top: Table;
  readonly disabled: readonly { readonly name: string; readonly at: Place }[];
  /** Why containerd would not start with this; the other parts are then as far as it was read. */
  readonly faults: readonly Finding[];
}

const NOWHERE: Place = { path: '', line: 1, column: 1, keys: [] };
const EMPTY: Table = { kind: 'table', at: NOWHERE, below: new Map() };
/** Go reads the pattern from the daemon's working directory, which the unit leaves at `/`. */
const WORKING_DIRECTORY = '/';

/** Reads the main file and what it imports, and merges them as that containerd does. Never throws for what files hold. */
export function loadConfig(tree: RootTree, main: string, dialect: Dialect): LoadedConfig {
  const files: ConfigFile[] = [];
  const pending = [main];
  let state: Merging = { version: startVersion(dialect), plugins: EMPTY, top: EMPTY, disabled: [] };
  const stop = (fault: Finding): LoadedConfig => ({ ...finish(files, state, dialect), faults: [fault] });
  for (let path = pending.shift(); path !== undefined; path = pending.shift()) {
    if (files.some((file) => file.path === path)) continue;
    const file = readConfigFile(tree, path);
    if (file === undefined && path === main) break;
    if (file === undefined) return stop(missing(path, files));
    if ('severity' in file) return stop(file);
    files.push(file);
    const imports = stringsOf(file.tree, 'imports');
    const disabled = stringsOf(file.tree, 'disabled_plugins');
    if ('severity' in imports) return stop(imports);
    if ('severity' in disabled) return stop(disabled);
    state = mergeFile(state, file, disabled, dialect);
    if (dialect.imports === 'none') continue;
    const folder = dialect.imports === 'file' ? posix.dirname(path) : WORKING_DIRECTORY;
    for (const { name } of imports) {
      // Only patterns were once read from elsewhere.
      pending.push(...importedPaths(tree, name, name.includes('*') ? folder : posix.dirname(path)));
    }
  }
  return finish(files, state, dialect);
}

interface Merging {
  readonly version: number;
  readonly plugins: Table;
  readonly top: Table;
  readonly disabled: LoadedConfig['disabled'];
}

/** The number that a configuration without one has in the end. */
function startVersion(dialect: Dialect): number {
  return isVersion2(dialect) ? dialect.newest : 1;
}

function mergeFile(before: Merging, file: ConfigFile, disabled: LoadedConfig['disabled'], dialect: Dialect): Merging {
  const plugins = findTable(file.tree, ['plugins']) ?? EMPTY;
  const isRenamed = isVersion2(dialect) && file.header <= 1;
  const named = isRenamed ? renamed(plugins) : plugins;
  const isMigrated = dialect.migration === 'each' && file.header < before.version;
  const own = isMigrated ? filled(named) : named;
  const isTaken = file.header !== 0 && dialect.newest !== 1 && !isRenamed && !isMigrated;
  return {
    version: isTaken ? file.header : before.version,
    plugins: dialect.merge === 'deep' ? merged(before.plugins, own) : replaced(before.plugins, own),
    top: merged(before.top, file.tree),
    disabled: [
      ...before.disabled,
      ...disabled.map(({ name, at }) => ({ name: isRenamed && name === CRI_V1 ? CRI_V2 : name, at })),
    ],
  };
}

function finish(files: readonly ConfigFile[], state: Merging, dialect: Dialect): LoadedConfig {
  const { version, top, disabled } = state;
  const isMigrated = (dialect.migration === 'fill' || dialect.migration === 'replace') && version < dialect.newest;
  const plugins = isMigrated ? migrated(state.plugins, dialect) : state.plugins;
  const name = isVersion2(dialect) ? CRI_V3 : version === 1 ? CRI_V1 : CRI_V2;
  const cri = findTable(plugins, [name]);
  return { files, version, cri, top, disabled, faults: faultsOf(files, state, dialect) };
}

/** v1MigratePluginName, as far as the CRI plugin goes. */
function renamed(plugins: Table): Table {
  const below = [...plugins.below].map(([name, node]) => [name === CRI_V1 ? CRI_V2 : name, node] as const);
  return { ...plugins, below: new Map(below) };
}

function replaced(before: Table, after: Table): Table {
  return { ...after, below: new Map([...before.below, ...after.below]) };
}

function migrated(plugins: Table, { migration }: Dialect): Table {
  const old = findTable(plugins, [CRI_V2]);
  if (old === undefined) return plugins;
  return migration === 'replace' ? withEntry(plugins, CRI_V3, old) : filled(plugins);
}

/** What the section of version 3 lacks comes from that of version 2, `containerd` one level deeper (migrateConfig). */
function filled(plugins: Table): Table {
  const old = findTable(plugins, [CRI_V2]);
  if (old === undefined) return plugins;
  const now = findTable(plugins, [CRI_V3]);
  if (now === undefined) return withEntry(plugins, CRI_V3, old);
  const [outer, inner] = [findTable(now, ['containerd']), findTable(old, ['containerd'])];
  const containerd = inner === undefined || outer === undefined ? undefined : lacking(outer, inner);
  const whole = lacking(now, old);
  return withEntry(plugins, CRI_V3, containerd === undefined ? whole : withEntry(whole, 'containerd', containerd));
}

function lacking(table: Table, from: Table): Table {
  return { ...table, below: new Map<string, Node>([...from.below, ...table.below]) };
}

function faultsOf(files: readonly ConfigFile[], { version, plugins, disabled }: Merging, dialect: Dialect): Finding[] {
  const faults: Finding[] = [];
  const teller = files.findLast(({ header }) => header === version);
  if (version > dialect.newest && dialect.newer === 'refused') {
    faults.push({
      ...faultAt('containerd-version-too-new', findLeaf(teller?.tree, ['version'])?.at ?? NOWHERE),
      message: `version = ${version} is newer than this containerd knows, which is ${dialect.newest}: it does not start`,
      hint: `write the configuration for version ${dialect.newest}, or update containerd`,
    });
  }
  const isNamed = isVersion2(dialect) || version >= 2;
  const pattern = isVersion2(dialect) ? /\./ : dialect.pluginNames;
  if (!isNamed || pattern === undefined) return faults;
  const sections = isVersion2(dialect)
    ? []
    : [...plugins.below].map(([name, { at }]) => ({ name, at, what: 'plugin' }));
  const bad = [...disabled.map((each) => ({ ...each, what: 'disabled plugin' })), ...sections].filter(
    ({ name }) => !pattern.test(name),
  );
  return [
    ...faults,
    ...bad.map(({ name, at, what }) => ({
      ...faultAt('containerd-plugin-name', at),
      message: `the ${what} ${quote(name)} is not a full name, which version = ${version} asks for: containerd does not start`,
      hint: name === CRI_V1 ? `it is called ${CRI_V2} there` : 'write it as io.containerd.KIND.vN.NAME',
    })),
  ];
}

/** A file, undefined where there is none, or why it cannot be used. */
function readConfigFile(tree: RootTree, path: string): ConfigFile | Finding | undefined {
  try {
    const found = tree.read(path);
    if (found === undefined) return undefined;
    const { target, mtimeMs } = found;
    const text = decodeConfig(found.bytes, path);
    const document = parseToml(text.text, path);
    const root = treeOf(document);
    const version = findLeaf(root, ['version']);
    const written = text.text.slice(...(document.get(['version'])?.range ?? [0, 0]));
    // 2.0 is a float in Go, and an integer in JavaScript.
    if (version !== undefined && (!Number.isInteger(version.value) || written.includes('.'))) {
      return {
        ...faultAt('containerd-version-type', version.at),
        message: 'version is not a whole number: containerd does not start',
        hint: 'write it without quotes: version = 2',
      };
    }
    const header = Number(version?.value ?? 0);
    return { path, target, state: readState(tree, path), mtimeMs, text, tree: root, header };
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    const { line, column } = error.data;
    return {
      severity: 'error',
      code: error.code === 'E_SYNTAX' ? 'containerd-syntax' : 'containerd-unreadable',
      message: error.message,
      ...(error.hint !== undefined && { hint: error.hint }),
      path,
      ...(typeof line === 'number' && { line }),
      ...(typeof column === 'number' && { column }),
    };
  }
}

function missing(path: string, files: readonly ConfigFile[]): Finding {
  const importer = files.findLast(({ tree }) => findLeaf(tree, ['imports']) !== undefined);
  return {
    ...faultAt('containerd-import-missing', findLeaf(importer?.tree, ['imports'])?.at ?? NOWHERE),
    message: `imports names ${quote(path)}, which does not exist: containerd does not start`,
    hint: 'make the file, or take it out of imports',
  };
}

function stringsOf(tree: Table, key: string): LoadedConfig['disabled'] | Finding {
  const leaf: Leaf | undefined = findLeaf(tree, [key]);
  if (leaf === undefined) return [];
  const { value, at } = leaf;
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) {
    return value.map((name: string) => ({ name, at }));
  }
  return {
    ...faultAt('containerd-not-strings', at),
    message: `${key} is not an array of strings: containerd does not start`,
  };
}

function faultAt(
  code: string,
  { path, line, column }: Place,
): Pick<Finding, 'severity' | 'code' | 'path' | 'line' | 'column'> {
  return { severity: 'error', code, ...(path !== '' && { path, line, column }) };
}
