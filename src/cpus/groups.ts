import { equalSets, type IndexSet, parseIndexSet } from '../core/cpuset.ts';
import { type CgroupLayout, readLayout } from '../host/cgroups.ts';
import { readIfThere } from '../host/files.ts';
import type { HostPaths } from '../host/paths.ts';
import { foldersIn } from '../host/tree.ts';

/** cpuset.cpus.partition (Documentation/admin-guide/cgroup-v2.rst). */
export interface Partition {
  readonly type: 'member' | 'root' | 'isolated';
  /** Why it is not in force, in the kernel's words; undefined where it is. */
  readonly invalid: string | undefined;
}

/** The CPUs of one group. */
export interface GroupCpus {
  /** Below the mounted tree: `/system.slice`. */
  readonly path: string;
  /** The systemd unit whose group it is. */
  readonly unit: string | undefined;
  /** What was asked for: empty where nothing was, undefined where the group has no cpuset files. */
  readonly asked: IndexSet | undefined;
  /** Where its tasks may run at most: its own effective set, or that of the nearest group above that has one. */
  readonly effective: IndexSet;
  readonly partition: Partition | undefined;
}

export interface GroupTree {
  readonly version: 1 | 2;
  /** Where tasks of the root group and of new top-level groups may run. */
  readonly root: IndexSet;
  /** CPUs that partitions took off the scheduler's balancing (Linux 6.7); not those of `isolcpus=`. */
  readonly isolated: IndexSet;
  /** Top-level groups, and those below that are narrower than what is above them, that ask or are partitions. */
  readonly groups: readonly GroupCpus[];
}

/** Reads the cpuset hierarchy; undefined where none is mounted. `online` stands for a root that does not say. */
export function readGroupTree(paths: HostPaths, online: IndexSet): GroupTree | undefined {
  const place = cpusetPlace(readLayout(paths));
  if (place === undefined) return undefined;
  const { mount, version } = place;
  const names = FILES[version];
  const root = listAt(`${mount}/${names.effective}`) ?? online;
  const groups = foldersIn(mount)
    .sort()
    .flatMap((name) => walk({ mount, version }, `/${name}`, root));
  return { version, root, isolated: listAt(`${mount}/cpuset.cpus.isolated`) ?? [], groups };
}

interface Place {
  readonly mount: string;
  readonly version: 1 | 2;
}

const FILES = {
  1: { asked: 'cpuset.cpus', effective: 'cpuset.effective_cpus' },
  2: { asked: 'cpuset.cpus', effective: 'cpuset.cpus.effective' },
} as const;

/** On hybrid hosts a controller is in one of the two trees only. */
function cpusetPlace({ v1, v2 }: CgroupLayout): Place | undefined {
  const legacy = v1.get('cpuset');
  if (legacy) return { mount: legacy.mount, version: 1 };
  return v2 && { mount: v2.mount, version: 2 };
}

function walk(place: Place, path: string, above: IndexSet): GroupCpus[] {
  const folder = `${place.mount}${path}`;
  const names = FILES[place.version];
  const own = listAt(`${folder}/${names.effective}`);
  const effective = own ?? above;
  const asked = listAt(`${folder}/${names.asked}`);
  const text = place.version === 2 ? readIfThere(`${folder}/cpuset.cpus.partition`) : undefined;
  const partition = text === undefined ? undefined : parsePartition(text);
  const isTop = path.lastIndexOf('/') === 0;
  // Every group of v1 has a list, mostly the one above.
  const asks = place.version === 2 && (asked?.length ?? 0) > 0;
  const tells = isTop || asks || !equalSets(effective, above) || (partition?.type ?? 'member') !== 'member';
  // Groups below one without these files have none either: controllers are handed down.
  const below = own === undefined ? [] : foldersIn(folder).sort();
  return [
    ...(tells ? [{ path, unit: unitOf(path), asked, effective, partition }] : []),
    ...below.flatMap((name) => walk(place, `${path}/${name}`, effective)),
  ];
}

/** `isolated invalid (Cpu list in cpuset.cpus not exclusive)`. */
export function parsePartition(text: string): Partition {
  const [, type = 'member', invalid, reason] = /^(\w+)( invalid)?(?: \((.*)\))?/.exec(text.trim()) ?? [];
  return {
    type: type === 'root' || type === 'isolated' ? type : 'member',
    invalid: invalid === undefined ? undefined : (reason ?? 'the kernel gives no reason'),
  };
}

/** Groups of units bear their names, with `_` before those that the kernel uses itself (cg_escape of systemd). */
function unitOf(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/^_/, '');
  return /\.(?:slice|scope|service|socket|mount|swap)$/.test(name) ? name : undefined;
}

function listAt(path: string): IndexSet | undefined {
  const text = readIfThere(path);
  return text === undefined ? undefined : parseIndexSet(text.trim(), path);
}

/** CPUs that are open to the same groups. */
export interface Access {
  readonly cpus: IndexSet;
  /** Top-level groups by their paths, and `/` for what is in the root group or in a group made later. */
  readonly groups: readonly string[];
}

/** Which top-level groups may run on which CPUs, in classes of CPUs that do not differ. */
export function accessOf(tree: GroupTree, online: IndexSet): readonly Access[] {
  const entries = [
    { path: '/', open: new Set(tree.root) },
    ...tree.groups
      .filter(({ path }) => path.lastIndexOf('/') === 0)
      .map(({ path, effective }) => ({ path, open: new Set(effective) })),
  ];
  const classes = new Map<string, { cpus: number[]; groups: string[] }>();
  for (const cpu of online) {
    const groups = entries.filter(({ open }) => open.has(cpu)).map(({ path }) => path);
    const key = groups.join('\0');
    const known = classes.get(key);
    if (known) known.cpus.push(cpu);
    else classes.set(key, { cpus: [cpu], groups });
  }
  return [...classes.values()];
}
