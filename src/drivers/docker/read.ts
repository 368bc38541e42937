import { statSync } from 'node:fs';
import { readLayout, systemdIsBooted } from '../../host/cgroups.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { DriverHost } from '../model.ts';
import { type Daemon, findDaemons } from './daemons.ts';
import { type DockerFacts, NOT_RUNNING } from './facts.ts';
import { readProcessFlags, readUnitFlags } from './flags.ts';
import { readNextStart, type StartFacts } from './next-start.ts';
import { programOf, versionOf } from './program.ts';
import { type DockerRules, rulesOf } from './rules.ts';
import { readRun } from './running.ts';

const SNAP_FILES = ['/var/snap/docker/current/config/daemon.json', '/var/snap/docker/current/etc/docker/daemon.json'];

/** Deadlines, which tests shorten. */
export interface ReadOptions {
  readonly timeoutMs?: number;
}

/** Every dockerd of the host, the usual one first. */
export async function readDocker(host: DriverHost, options: ReadOptions = {}): Promise<readonly DockerFacts[]> {
  const daemons = await findDaemons(host);
  const running = daemons.filter(({ process }) => process !== undefined).length;
  return Promise.all(daemons.map((daemon) => readDaemon(host, daemon, running > 1, options)));
}

async function readDaemon(
  host: DriverHost,
  daemon: Daemon,
  hasOthers: boolean,
  { timeoutMs }: ReadOptions,
): Promise<DockerFacts> {
  const { tree, live, self } = host;
  const program = programOf(host, daemon);
  const installed = await versionOf(host, daemon, program);
  const surroundings = surroundingsOf(host);
  const first = startOf(host, daemon, installed, surroundings);
  const read = (start: StartFacts) => ({ start, next: readNextStart(start) });
  const before = read(first);
  const run =
    live === undefined
      ? NOT_RUNNING
      : await readRun({ live, daemon, start: first, next: before.next, hasOthers, timeoutMs });
  // Where nothing tells the version of the next start, it is that of the daemon that runs.
  const told = installed ?? run.info?.version;
  const { start, next } = told === installed ? before : read(startOf(host, daemon, told, surroundings));
  const link = daemon.manager === 'system' ? live?.system : live?.user;
  const isEditable = daemon.user === undefined ? daemon.kind !== 'process' : daemon.user.uid === self.uid;
  return {
    tree,
    daemon,
    isLive: live !== undefined,
    ...surroundings,
    isEditable,
    isManaged: isEditable && daemon.unit !== undefined && link !== undefined,
    start,
    next,
    run,
    program,
  };
}

type Surroundings = Pick<DockerFacts, 'hasSystemd' | 'isUnified'>;

/** Of a tree that does not run it is assumed that it boots with the systemd it has, and that with cgroup v2. */
function surroundingsOf({ tree, live }: DriverHost): Surroundings {
  if (live !== undefined) {
    const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
    return { hasSystemd: systemdIsBooted(live.paths, isFolder), isUnified: readLayout(live.paths).mode === 'unified' };
  }
  const programs = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'];
  return { hasSystemd: programs.some((path) => ifReadable(() => tree.kind(path)) === 'file'), isUnified: true };
}

function startOf(
  { tree, live }: DriverHost,
  daemon: Daemon,
  version: string | undefined,
  surroundings: Surroundings,
): StartFacts {
  const { command, process, user } = daemon;
  const rules = rulesOf(version);
  const fromUnit = command !== undefined && daemon.kind !== 'snap';
  return {
    tree,
    version,
    rules,
    command: fromUnit ? command : undefined,
    flags: fromUnit ? readUnitFlags(command) : process === undefined ? [] : readProcessFlags(process.argv, process.pid),
    defaultFile: defaultFile(tree, daemon),
    isRootless: user !== undefined,
    defaultDriver: defaultDriver(rules, surroundings, user !== undefined, live === undefined),
  };
}

function defaultFile(tree: RootTree, { kind, user, command, process }: Daemon): string {
  if (kind === 'snap')
    return SNAP_FILES.find((path) => ifReadable(() => tree.kind(path)) === 'file') ?? String(SNAP_FILES[0]);
  if (user === undefined) return '/etc/docker/daemon.json';
  const config = command?.environment.get('XDG_CONFIG_HOME')?.value ?? process?.environment()?.get('XDG_CONFIG_HOME');
  return `${config || `${user.home}/.config`}/docker/daemon.json`;
}

/** `UsingSystemd` and `cgroupDriver` in daemon/daemon_unix.go. */
function defaultDriver(
  { systemdByDefault, versions }: DockerRules,
  { hasSystemd, isUnified }: Surroundings,
  isRootless: boolean,
  isAssumed: boolean,
): StartFacts['defaultDriver'] {
  if (systemdByDefault && hasSystemd && isUnified) {
    const text = isAssumed
      ? "Docker's default, if this boots with cgroup v2"
      : "Docker's default on cgroup v2 with systemd";
    return { driver: 'systemd', text };
  }
  if (isRootless) return { driver: 'none', text: "rootless Docker's default without systemd and cgroup v2" };
  const reason = !systemdByDefault ? versions : hasSystemd ? 'on cgroup v1' : 'without systemd';
  return { driver: 'cgroupfs', text: `Docker's default ${reason}` };
}
