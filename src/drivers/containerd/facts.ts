import { posix } from 'node:path';
import { packageVersion } from '../../host/packages.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { DriverHost } from '../model.ts';
import { readServiceCommand, type ServiceCommand } from '../service/command.ts';
import { findFlags } from '../service/flags.ts';
import { CRI_V1, CRI_V2, CRI_V3, type Dialect, dialectOf, isVersion2 } from './dialect.ts';
import { type LoadedConfig, loadConfig } from './load.ts';
import { askVersion, type Dump, dumpConfig, programOf } from './program.ts';
import { type Running, readRunning } from './running.ts';
import { type RuntimeTable, runtimeTables } from './runtime-tables.ts';
import { findLeaf, type Place } from './tree.ts';

export const UNIT = 'containerd.service';
const DEFAULT_CONFIG = '/etc/containerd/config.toml';
const DEFAULT_SOCKET = '/run/containerd/containerd.sock';
const PACKAGES = ['containerd.io', 'containerd'];
/** One version of each way to read the runtimes, for when the version is not known. */
const SAMPLES = ['1.6.20', '1.7.24', '2.0', '2.1.9', '2.3'];

/** Everything that the other verbs need, read once. */
export interface ContainerdFacts {
  readonly tree: RootTree;
  readonly command: ServiceCommand | undefined;
  /** On this host. */
  readonly program: string | undefined;
  /** Undefined where nothing says it. */
  readonly version: string | undefined;
  readonly dialect: Dialect;
  readonly main: MainFile;
  /** Where the main file's path leads, and who would own it, when it has to be made. */
  readonly target: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly config: LoadedConfig;
  /** Undefined where the version is unknown and versions would read these files differently. */
  readonly runtimes: readonly RuntimeTable[] | undefined;
  /** Where the CRI plugin is switched off. */
  readonly disabledAt: Place | undefined;
  /** Undefined with `--root`, and where the program cannot be run. */
  readonly dump: Dump | undefined;
  /** Undefined with `--root`. */
  readonly running: Running | undefined;
}

export interface MainFile {
  readonly path: string;
  /** By `--config`: then containerd does not start without it. */
  readonly isGiven: boolean;
  /** A shell starts containerd, so that its options are not known for sure. */
  readonly isUncertain: boolean;
}

/** containerd as this host or tree has it, or undefined where it is not installed. */
export async function readFacts(host: DriverHost): Promise<ContainerdFacts | undefined> {
  const { tree, live, assumed } = host;
  const found = readServiceCommand(tree, UNIT);
  const command = found?.masked ? undefined : found;
  const program = programOf(tree, command);
  const packaged = ifReadable(() => packageVersion(tree, PACKAGES))?.version;
  if (command === undefined && program === undefined && packaged === undefined && !assumed.has('containerd')) {
    return undefined;
  }
  const own = live && program !== undefined ? await askVersion(program) : undefined;
  const version = own ?? assumed.get('containerd') ?? packaged;
  const main = mainFile(command);
  const dialect = dialectOf(version ?? SAMPLES.at(-1) ?? '');
  const config = loadConfig(tree, main.path, dialect);
  const isThere = config.files.length > 0;
  return {
    tree,
    command,
    program,
    version,
    dialect,
    main,
    target: ifReadable(() => tree.follow(main.path)) ?? main.path,
    owner: ifReadable(() => tree.ownerOf(posix.dirname(main.path))) ?? { uid: 0, gid: 0 },
    config,
    runtimes: version === undefined ? agreed(tree, main.path) : runtimeTables(config, dialect),
    disabledAt: disabledAt(config, dialect),
    dump: live && program !== undefined && isThere ? await dumpConfig(program, tree.onHost(main.path)) : undefined,
    running: live && (await readRunning(live, command?.unit, socketOf(config, command))),
  };
}

function mainFile(command: ServiceCommand | undefined): MainFile {
  const uses = command === undefined ? [] : findFlags(command, ['--config', '-c']);
  const use = uses.at(-1);
  return {
    path: use?.value.startsWith('/') ? use.value : DEFAULT_CONFIG,
    isGiven: use !== undefined,
    isUncertain: use?.uncertain === true || (use !== undefined && !use.value.startsWith('/')),
  };
}

/** The runtimes, where every version would read them alike. */
function agreed(tree: RootTree, path: string): readonly RuntimeTable[] | undefined {
  const readings = SAMPLES.map((version) => {
    const dialect = dialectOf(version);
    const config = loadConfig(tree, path, dialect);
    return { tables: runtimeTables(config, dialect), isBroken: config.faults.length > 0 };
  });
  const texts = readings.map(({ tables, isBroken }) =>
    JSON.stringify([isBroken, tables.map(({ name, driver, decider }) => [name, driver, decider?.at])]),
  );
  return new Set(texts).size === 1 ? readings[0]?.tables : undefined;
}

/** 2.x has three plugins for what was one, and each of them is needed. */
function disabledAt({ disabled, version }: LoadedConfig, dialect: Dialect): Place | undefined {
  const names = isVersion2(dialect)
    ? [CRI_V2, CRI_V3, 'io.containerd.cri.v1.images']
    : [version <= 1 || dialect.newest === 1 ? CRI_V1 : CRI_V2];
  return disabled.find(({ name }) => names.includes(name))?.at;
}

/** The socket of all of containerd's services, the CRI among them. */
function socketOf({ top }: LoadedConfig, command: ServiceCommand | undefined): string {
  const flag = command === undefined ? undefined : findFlags(command, ['--address', '-a']).at(-1)?.value;
  const places = [
    ['plugins', 'io.containerd.server.v1.grpc', 'address'],
    ['grpc', 'address'],
  ];
  const written = places.map((keys) => findLeaf(top, keys)?.value).find((value) => value !== undefined);
  const address = flag ?? (typeof written === 'string' && written !== '' ? written : DEFAULT_SOCKET);
  return address.replace(/^unix:(\/\/)?/, '');
}
