import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { MachineSpec } from './catalogue.ts';
import { hostCommand, pipe } from './command.ts';
import { repository } from './paths.ts';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** What of the checkout a machine needs to run slicectl: the built program and what it imports. */
function payload(): string[] {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as Lock;
  const topLevel = /^node_modules\/(@[^/]+\/)?[^/]+$/;
  const modules = Object.entries(lock.packages).flatMap(([path, entry]) =>
    topLevel.test(path) && entry.dev !== true ? [path] : [],
  );
  return ['package.json', 'dist', 'units', 'contrib', ...modules].filter((path) => existsSync(join(repository, path)));
}

/** Copies the built program to /opt/slicectl; a container has the checkout itself there. */
export async function sync(spec: MachineSpec): Promise<void> {
  if (spec.kind === 'container') return;
  // Links are followed, since some modules are links into the checkout.
  const archive = ['tar', '--create', '--dereference', '--owner=0', '--group=0', '--directory', repository];
  const unpack = 'set -e; find /opt/slicectl -mindepth 1 -delete; tar --extract --directory /opt/slicectl --file -';
  await pipe([...archive, ...payload()], hostCommand(spec, ['sh', '-c', unpack]));
}

/** Copies a file or a folder; parents are made, modes kept, the owner is root. */
export async function push(spec: MachineSpec, localPath: string, remotePath: string): Promise<void> {
  const { mode } = statSync(localPath);
  const receive = (script: string) => hostCommand(spec, ['sh', '-ec', script, 'push', remotePath]);
  if (statSync(localPath).isDirectory()) {
    const archive = ['tar', '--create', '--owner=0', '--group=0', '--directory', localPath, '.'];
    return pipe(archive, receive('mkdir -p -- "$1"; tar --extract --directory "$1" --file -'));
  }
  const octal = (mode & 0o777).toString(8);
  return pipe(['cat', '--', localPath], receive(`mkdir -p -- "$(dirname -- "$1")"; cat >"$1"; chmod ${octal} "$1"`));
}
