import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { promisify } from 'node:util';
import { packageVersion } from '../../host/packages.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { DriverHost } from '../model.ts';
import { type Daemon, daemonProgram, isDaemonProgram } from './daemons.ts';

const DEADLINE_MS = 5_000;
const PACKAGES = ['docker-ce', 'docker.io', 'moby-engine', 'docker-engine', 'docker-latest', 'docker'];

/** The program of the next start: that of the unit, else the one that runs, else the installed one. */
export function programOf({ tree, live }: DriverHost, { command, kind, process }: Daemon): string | undefined {
  if (live === undefined || kind === 'snap') return undefined;
  const named = command?.program?.text;
  const path = named !== undefined && isDaemonProgram(named) ? named : (process?.exe ?? daemonProgram(tree));
  return path?.startsWith('/') && isTrusted(path) ? path : undefined;
}

/** root runs no program that somebody else could have written. */
function isTrusted(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true && stats.uid === 0 && (stats.mode & 0o022) === 0;
}

/**
 * The version of the next start: by the program, the snap, what was assumed, the package. Undefined where none is known;
 * the running daemon may be an older one and is asked by the caller.
 */
export async function versionOf(
  host: DriverHost,
  daemon: Daemon,
  program: string | undefined,
): Promise<string | undefined> {
  const { tree, assumed } = host;
  if (daemon.kind === 'snap') return snapVersion(tree);
  return (
    (program === undefined ? undefined : await askVersion(program)) ??
    assumed.get('docker') ??
    (daemon.kind === 'usual' ? packageVersion(tree, PACKAGES)?.version : undefined)
  );
}

/** `Docker version 28.5.2+dfsg4, build 3ef3c07`. */
async function askVersion(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: DEADLINE_MS });
    return /version\s+v?(\d[^\s,]*)/i.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function snapVersion(tree: RootTree): string | undefined {
  const text = ifReadable(() => tree.text('/snap/docker/current/meta/snap.yaml')) ?? '';
  return /^version:\s*['"]?v?(\d[^\s'"]*)/m.exec(text)?.[1];
}
