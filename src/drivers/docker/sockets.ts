import { posix } from 'node:path';
import { parseUnitFile } from '../../core/unit-file.ts';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { findUnitFiles, type UnitUser } from '../../host/unit-files.ts';
import type { JsonDocument } from '../formats/json.ts';
import type { DockerFlag } from './flags.ts';

export interface SocketPlaces {
  readonly tree: RootTree;
  readonly user: UnitUser | undefined;
  /** Where it listens when nothing is said. */
  readonly usual: string;
}

/** The unix sockets on which a dockerd listens: by its `-H`, its file's hosts, systemd's socket for `fd://`, its default. */
export function socketsOf(
  places: SocketPlaces,
  flags: readonly DockerFlag[],
  document: JsonDocument | undefined,
): readonly string[] {
  const inFile = document?.value(['hosts']);
  const hosts = [
    ...flags.filter(({ flag }) => flag === 'host').map(({ value }) => value),
    ...(Array.isArray(inFile) ? inFile.filter((host) => typeof host === 'string') : []),
  ];
  if (hosts.length === 0) return [places.usual];
  const sockets = hosts.flatMap((host) => {
    if (host === '' || host === 'unix://') return [places.usual];
    if (host.startsWith('unix://')) return [host.slice('unix://'.length)];
    return host.startsWith('fd://') ? listenStreams(places) : [];
  });
  return [...new Set(sockets.map((socket) => posix.resolve('/', socket)))];
}

/** `ListenStream=` of docker.socket; an empty one forgets those before. */
function listenStreams({ tree, user, usual }: SocketPlaces): readonly string[] {
  const files = ifReadable(() => findUnitFiles(tree, 'docker.socket', user));
  let streams: string[] = [];
  for (const path of [files?.fragment, ...(files?.dropIns ?? [])]) {
    const text = path === undefined ? undefined : ifReadable(() => tree.text(path));
    if (path === undefined || text === undefined) continue;
    for (const { section, key, value } of parseUnitFile(text, path).assignments) {
      if (section !== 'Socket' || key !== 'ListenStream') continue;
      streams = value.text === '' ? [] : [...streams, value.text];
    }
  }
  const run = user === undefined ? '/run' : posix.dirname(usual);
  const paths = streams.map((stream) => stream.replaceAll('%t', run)).filter((stream) => stream.startsWith('/'));
  return paths.length === 0 ? [usual] : paths;
}
