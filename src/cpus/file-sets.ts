import { parseSystemdList } from '../core/cpu-list.ts';
import { type IndexSet, union } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import { parseUnitFile } from '../core/unit-file.ts';
import type { RootTree } from '../host/root-tree.ts';

export type FileSetName = 'AllowedCPUs' | 'AllowedMemoryNodes' | 'CPUAffinity';

/** Sections of units that have processes. systemd ignores the keys in any other one. */
const SECTIONS: readonly string[] = ['Slice', 'Scope', 'Service', 'Socket', 'Mount', 'Swap'];

/**
 * What unit files and drop-ins make of a property, read in their order: lists add up, an empty one forgets those before
 * (systemd.unit(5)), and one that systemd cannot read is left out (config_parse_unit_cpu_set).
 */
export function setOfFiles(tree: RootTree, files: readonly string[], name: FileSetName): IndexSet {
  let set: IndexSet = [];
  for (const path of files) {
    for (const { section, key, value } of parseUnitFile(textOfFile(tree, path), path).assignments) {
      if (key !== name || !SECTIONS.includes(section)) continue;
      set =
        value.text === ''
          ? []
          : union(
              set,
              unlessUnreadable(() => parseSystemdList(value.text, name), []),
            );
    }
  }
  return set;
}

/** Empty where there is none: generated files may go at any time, and systemd leaves out what it cannot read. */
export function textOfFile(tree: RootTree, path: string): string {
  return unlessUnreadable(() => tree.text(path) ?? '', '');
}

function unlessUnreadable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SlicectlError) return otherwise;
    throw error;
  }
}
