import { parseSystemdList } from '../core/cpu-list.ts';
import { type IndexSet, union } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import { parseUnitFile } from '../core/unit-file.ts';
import type { KernelLine } from './kernel-line.ts';
import type { RootTree } from './root-tree.ts';

/** CPUAffinity= of systemd itself, which all that it starts inherits. */
export interface ManagerAffinity {
  readonly cpus: IndexSet;
  /** The file that has the last word. */
  readonly path: string;
}

/** What counts of both: the kernel command line is read last (parse_proc_cmdline_item, src/core/main.c). */
export function managerCpus({
  kernelLine,
  managerAffinity,
}: {
  readonly kernelLine: Pick<KernelLine, 'systemdCpuAffinity'>;
  readonly managerAffinity: ManagerAffinity | undefined;
}): IndexSet | undefined {
  return kernelLine.systemdCpuAffinity?.cpus ?? managerAffinity?.cpus;
}

/** The one that wins last (systemd-system.conf(5)). */
const FOLDERS = ['/usr/lib/systemd', '/usr/local/lib/systemd', '/run/systemd', '/etc/systemd'] as const;

/**
 * What the files say, as PID 1 reads it when it is started or reexecuted: lists add up, an empty one forgets those before,
 * and one that systemd cannot read is left out (config_parse_cpu_set). Undefined where they say nothing, or `numa`.
 */
export function readManagerAffinity(tree: RootTree): ManagerAffinity | undefined {
  let found: ManagerAffinity | undefined;
  for (const path of filesOf(tree)) {
    for (const { section, key, value } of parseUnitFile(unlessUnreadable(() => tree.text(path)) ?? '', path)
      .assignments) {
      if (section !== 'Manager' || key !== 'CPUAffinity') continue;
      const cpus =
        value.text === '' || value.text === 'numa' ? [] : unlessUnreadable(() => parseSystemdList(value.text, key));
      if (cpus !== undefined) found = cpus.length === 0 ? undefined : { cpus: union(found?.cpus ?? [], cpus), path };
    }
  }
  return found;
}

/** The main file and drop-ins by their names; of equal names that of the folder that wins, which may hide it by a link to /dev/null. */
function filesOf(tree: RootTree): readonly string[] {
  const dropIns = new Map(
    FOLDERS.flatMap((folder) =>
      tree.list(`${folder}/system.conf.d`).map((name) => [name, `${folder}/system.conf.d/${name}`] as const),
    ).filter(([name]) => name.endsWith('.conf')),
  );
  const main = FOLDERS.map((folder) => `${folder}/system.conf`).filter((path) => tree.kind(path) !== 'absent');
  const sorted = [...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return [...main.slice(-1), ...sorted].filter((path) => tree.kind(path) === 'file');
}

function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SlicectlError) return undefined;
    throw error;
  }
}
