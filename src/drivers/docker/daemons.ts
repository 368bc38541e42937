import { basename, posix } from 'node:path';
import type { StepManager } from '../../change/plan.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import { findProcesses, type ProcessFacts } from '../../host/processes.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { UnitUser } from '../../host/unit-files.ts';
import type { DriverHost } from '../model.ts';
import { readServiceCommand, type ServiceCommand } from '../service/command.ts';
import { type LoadedUnit, readLoaded } from '../service/loaded.ts';

/** A dockerd of the host: installed, or running. */
export interface Daemon {
  readonly kind: 'usual' | 'snap' | 'rootless' | 'process';
  /** Empty for the usual one; else `snap`, `rootless alice`, `process 4711`. */
  readonly instance: string;
  /** Undefined where no unit starts it. */
  readonly unit: string | undefined;
  readonly manager: StepManager;
  /** Whose it is, when it is rootless. */
  readonly user: UnitUser | undefined;
  readonly command: ServiceCommand | undefined;
  readonly loaded: LoadedUnit | undefined;
  readonly process: ProcessFacts | undefined;
}

/** `dockerd-current` is that of RHEL 7, `dockerd-ce` that of SUSE and of Docker's own packages at times. */
const PROGRAMS = ['dockerd', 'dockerd-current', 'dockerd-ce'];
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/sbin', '/bin', '/opt/bin'];
const SNAP_UNIT = 'snap.docker.dockerd.service';

export async function findDaemons(host: DriverHost): Promise<readonly Daemon[]> {
  const { tree, live, self } = host;
  const processes = live === undefined ? [] : daemonProcesses(live.paths);
  const usual = await usualDaemon(host, processes);
  const snap = await snapDaemon(host, processes);
  const own = live !== undefined && self.uid > 0 ? await ownDaemon(host, processes) : undefined;
  const known = [usual, snap, own].filter((daemon) => daemon !== undefined);
  const seen = new Set(known.map(({ process }) => process?.pid));
  const rest = processes.filter(({ pid }) => !seen.has(pid)).map((process) => otherDaemon(tree, process));
  return [...known, ...rest];
}

/** Those of this host; one in a container has a pid namespace of its own and is that container's business. */
function daemonProcesses(paths: HostPaths): readonly ProcessFacts[] {
  return findProcesses(paths, PROGRAMS).filter(({ pid, argv }) => {
    const namespaces = /^NSpid:\s*(.*)$/m.exec(readIfThere(`${paths.proc}/${pid}/status`) ?? '')?.[1];
    // dockerd runs itself under other names for parts of its work, such as `docker-untar`.
    return PROGRAMS.includes(basename(argv[0] ?? '')) && (namespaces ?? '').trim().split(/\s+/).length <= 1;
  });
}

async function usualDaemon(host: DriverHost, processes: readonly ProcessFacts[]): Promise<Daemon | undefined> {
  const { tree, live } = host;
  const command = commandOf(tree, 'docker.service');
  const loaded = live?.system && (await loadedOf(live.system, 'docker.service'));
  const candidates = processes.filter((process) => process.uid === 0 && !isSnap(process));
  const process =
    candidates.find((each) => belongsTo(each, loaded, 'docker.service')) ??
    (command === undefined ? candidates[0] : undefined);
  const unit = command?.masked === false ? command.unit : undefined;
  const isThere = (command === undefined && isInstalled(tree)) || (live === undefined && host.assumed.has('docker'));
  if (unit === undefined && process === undefined && !isThere) return undefined;
  return { kind: 'usual', instance: '', unit, manager: 'system', user: undefined, command, loaded, process };
}

async function snapDaemon(host: DriverHost, processes: readonly ProcessFacts[]): Promise<Daemon | undefined> {
  const { tree, live } = host;
  const command = commandOf(tree, SNAP_UNIT);
  const process = processes.find(isSnap);
  if (command === undefined && process === undefined) return undefined;
  const loaded = live?.system && (await loadedOf(live.system, SNAP_UNIT));
  const unit = command?.unit;
  return { kind: 'snap', instance: 'snap', unit, manager: 'system', user: undefined, command, loaded, process };
}

/** The rootless one of the user who asks: set up in the home, or running. */
async function ownDaemon(host: DriverHost, processes: readonly ProcessFacts[]): Promise<Daemon | undefined> {
  const { tree, live, self } = host;
  const user = accountOf(tree, self.uid, self.env.HOME);
  const command = commandOf(tree, 'docker.service', user);
  const process = processes.find(({ uid }) => uid === self.uid);
  const isSetUp = command?.fragment?.startsWith(`${user.home}/`) ?? false;
  if (!isSetUp && process === undefined) return undefined;
  const loaded = live?.user && (await loadedOf(live.user, 'docker.service'));
  const instance = `rootless ${user.name}`;
  return { kind: 'rootless', instance, unit: command?.unit, manager: 'user', user, command, loaded, process };
}

function otherDaemon(tree: RootTree, process: ProcessFacts): Daemon {
  const base = { unit: undefined, command: undefined, loaded: undefined, process } as const;
  if (process.uid === 0) {
    return { kind: 'process', instance: `process ${process.pid}`, manager: 'system', user: undefined, ...base };
  }
  const user = accountOf(tree, process.uid);
  return { kind: 'rootless', instance: `rootless ${user.name}`, manager: 'user', user, ...base };
}

function isSnap({ cgroup, exe }: ProcessFacts): boolean {
  return (cgroup ?? '').includes('/snap.docker.') || (exe ?? '').startsWith('/snap/');
}

function belongsTo({ pid, cgroup }: ProcessFacts, loaded: LoadedUnit | undefined, unit: string): boolean {
  if (loaded?.mainPid === pid) return true;
  if (cgroup === undefined || cgroup.includes('/user@')) return false;
  return cgroup === loaded?.controlGroup || posix.basename(cgroup) === unit;
}

function isInstalled(tree: RootTree): boolean {
  return daemonProgram(tree) !== undefined;
}

/** Where dockerd is installed. */
export function daemonProgram(tree: RootTree): string | undefined {
  const places = FOLDERS.flatMap((folder) => PROGRAMS.map((name) => `${folder}/${name}`));
  return places.find((path) => ifReadable(() => tree.kind(path)) === 'file');
}

export function isDaemonProgram(path: string): boolean {
  return PROGRAMS.includes(basename(path));
}

function commandOf(tree: RootTree, unit: string, user?: UnitUser): ServiceCommand | undefined {
  return ifReadable(() => readServiceCommand(tree, unit, user === undefined ? {} : { user }));
}

/** Undefined also where the bus does not answer: then the files and the processes tell. */
async function loadedOf(link: Parameters<typeof readLoaded>[0], unit: string): Promise<LoadedUnit | undefined> {
  try {
    return await readLoaded(link, unit);
  } catch (error) {
    if (error instanceof SlicectlError) return undefined;
    throw error;
  }
}

function accountOf(tree: RootTree, uid: number, home?: string): UnitUser {
  const lines = (ifReadable(() => tree.text('/etc/passwd')) ?? '').split('\n').map((line) => line.split(':'));
  const fields = lines.find((each) => each[2] === String(uid));
  return { uid, name: fields?.[0] ?? String(uid), home: home || fields?.[5] || '/' };
}
