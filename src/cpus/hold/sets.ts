import { type IndexSet, parseIndexSet } from '../../core/cpuset.ts';
import { readLayout } from '../../host/cgroups.ts';
import { readIfThere } from '../../host/files.ts';
import { readCpus, readNodes } from '../../host/machine.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { SetName } from './parameters.ts';

/** Where the kernel has what a property of systemd's sets (cgroup-v2.rst, proc_pid_status(5)). */
interface Kind {
  readonly asked: string;
  readonly effective: string;
  readonly ofTask: string;
  readonly what: string;
  readonly online: (paths: HostPaths) => IndexSet;
}

export const KINDS: Readonly<Record<SetName, Kind>> = {
  AllowedCPUs: {
    asked: 'cpuset.cpus',
    effective: 'cpuset.cpus.effective',
    ofTask: 'Cpus_allowed_list',
    what: 'CPUs',
    online: (paths) => readCpus(paths).online,
  },
  AllowedMemoryNodes: {
    asked: 'cpuset.mems',
    effective: 'cpuset.mems.effective',
    ofTask: 'Mems_allowed_list',
    what: 'memory nodes',
    online: (paths) => readNodes(paths).online,
  },
};

/** The sets of groups, each file read once: for one look at many tasks. */
export class GroupSets {
  readonly mount: string;
  readonly #paths: HostPaths;
  readonly #kind: Kind;
  readonly #known = new Map<string, IndexSet>();

  constructor(paths: HostPaths, name: SetName) {
    this.#paths = paths;
    this.#kind = KINDS[name];
    this.mount = readLayout(paths).v2?.mount ?? `${paths.sys}/fs/cgroup`;
  }

  /** What the group asks for; empty where it asks for nothing, undefined where it has no such file. */
  asked(cgroup: string): IndexSet | undefined {
    return this.#read(cgroup, this.#kind.asked);
  }

  /** What its tasks have at most: by its own file, or by that of the nearest group above that has one. */
  effective(cgroup: string): IndexSet {
    const known = this.#known.get(cgroup);
    if (known !== undefined) return known;
    const own = this.#read(cgroup, this.#kind.effective);
    const above = cgroup.slice(0, cgroup.lastIndexOf('/')) || '/';
    const found = own ?? (cgroup === '/' || cgroup === '' ? this.#kind.online(this.#paths) : this.effective(above));
    this.#known.set(cgroup, found);
    return found;
  }

  #read(cgroup: string, file: string): IndexSet | undefined {
    const path = `${this.mount}${cgroup === '/' ? '' : cgroup}/${file}`;
    const text = readIfThere(path);
    return text === undefined ? undefined : parseIndexSet(text.trim(), path);
  }
}
