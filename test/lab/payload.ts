import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
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

/** A tar stream of the payload, links followed, since some modules are links into the checkout. */
export const payloadArchive = (): string[] => [
  'tar',
  ...['--create', '--dereference', '--owner=0', '--group=0', '--directory', repository, ...payload()],
];

export const unpackPayload =
  'set -e; find /opt/slicectl -mindepth 1 -delete; tar --extract --directory /opt/slicectl --file -';

/** How to send a file or a folder: what writes a tar stream here and what reads it there. */
export function transfer(localPath: string, remotePath: string): { send: string[]; receive: string; argv: string[] } {
  if (statSync(localPath).isDirectory()) {
    return {
      send: ['tar', '--create', '--owner=0', '--group=0', '--directory', localPath, '.'],
      receive: 'set -e; mkdir -p -- "$1"; tar --extract --directory "$1" --file -',
      argv: [remotePath],
    };
  }
  const mode = (statSync(localPath).mode & 0o777).toString(8);
  return {
    send: ['cat', localPath],
    receive: 'set -e; mkdir -p -- "$(dirname -- "$1")"; cat >"$1"; chmod "$2" "$1"',
    argv: [remotePath, mode],
  };
}
