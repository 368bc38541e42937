import { mkdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import type { IndexSet } from '../../core/cpuset.ts';
import { errnoOf } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { findDropIns, findUnitFiles } from '../../host/unit-files.ts';
import { setOfFiles } from '../file-sets.ts';
import { LIVE_FOLDERS } from '../own-files.ts';
import type { SetName } from './parameters.ts';

/** The set that a unit's files give it. */
export function setInFiles(
  tree: RootTree,
  unit: string,
  name: SetName,
  isRead: (path: string) => boolean = () => true,
): IndexSet {
  const fragment = findUnitFiles(tree, unit)?.fragment;
  const paths = [...(fragment === undefined ? [] : [fragment]), ...findDropIns(tree, unit)].filter(isRead);
  return setOfFiles(tree, paths, name);
}

/** Texts by paths; null where there is no such file. */
export type OwnDropIns = Readonly<Record<string, string | null>>;

/** What systemd keeps of a property that was set until reboot. */
export function readOwnDropIns(tree: RootTree, unit: string, name: string): OwnDropIns {
  const paths = LIVE_FOLDERS.map((folder) => `${folder}/${unit}.d/50-${name}.conf`);
  return Object.fromEntries(paths.map((path) => [path, tree.text(path) ?? null]));
}

/** Brings them back to what they were; a reload has to follow. These folders are systemd's, in which only root writes. */
export function restoreOwnDropIns(tree: RootTree, before: OwnDropIns): void {
  for (const [path, text] of Object.entries(before)) {
    const place = tree.onHost(path);
    if (text !== null) {
      mkdirSync(posix.dirname(place), { recursive: true });
      writeFileSync(place, text, { mode: 0o644 });
      continue;
    }
    unless(['ENOENT', 'ENOTDIR'], () => unlinkSync(place));
    unless(['ENOENT', 'ENOTDIR', 'ENOTEMPTY'], () => rmdirSync(posix.dirname(place)));
  }
}

function unless(codes: readonly string[], act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!codes.includes(errnoOf(error) ?? '')) throw error;
  }
}
