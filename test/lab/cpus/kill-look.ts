import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isSubset, parseIndexSet } from '../../../src/core/cpuset.ts';
import { MASKS_PROGRAM, type Mask, parseMasks } from './masks.ts';

/** What kernel and systemd say of a machine, read by nothing of slicectl's. */
export interface Look {
  /** Where systemd and slicectl keep what lasts or not: contents by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly threads: readonly Mask[];
  readonly groups: readonly Group[];
  /** AllowedCPUs of loaded slices and of init.scope. */
  readonly units: Readonly<Record<string, string>>;
  /** Affinities of interrupts and of the kernel's workers, by path. */
  readonly kernel: Readonly<Record<string, string>>;
  /** The CPUs of the root group. */
  readonly root: string;
}

interface Group {
  readonly path: string;
  readonly asked: string;
  readonly effective: string;
  readonly partition: string;
}

/** All of a machine, and the two parts that a reservation makes of it. */
export interface Sets {
  readonly all: string;
  readonly system: string;
  readonly payload: string;
  readonly partition?: 'root' | 'isolated';
}

const FOLDERS = ['/etc/systemd', '/run/systemd/system', '/etc/slicectl', '/run/slicectl'];
/** systemd's own, where units of systemd-run come and go: what is set for units. */
const CONTROL = ['/etc/systemd/system.control', '/run/systemd/system.control', '/run/systemd/transient'];
const CGROUPS = '/sys/fs/cgroup';

export function look(): Look {
  const perl = execFileSync('perl', ['-'], { input: MASKS_PROGRAM, encoding: 'utf8', maxBuffer: 1e8 });
  const shown = execFileSync('systemctl', ['show', '-p', 'Id', '-p', 'AllowedCPUs', '*.slice', 'init.scope']);
  return {
    files: Object.fromEntries([...FOLDERS.flatMap(filesIn), ...setForUnits()]),
    threads: parseMasks(perl),
    groups: groupsIn(''),
    units: unitsIn(shown.toString()),
    kernel: Object.fromEntries(kernelFiles().map((path) => [path, text(path)])),
    root: text(`${CGROUPS}/cpuset.cpus.effective`),
  };
}

/** What of a look is not as if there had never been a reservation; none where all is so. */
export function notNothing(seen: Look, bare: Look, { all }: Sets): readonly string[] {
  const known = byThread(bare);
  const full = new Set(['', all]);
  return [
    ...differences('file', bare.files, seen.files),
    ...seen.threads.flatMap((thread) => {
      if (thread.kind !== 'user' && thread.kind !== 'movable') return [];
      const before = thread.kind === 'user' ? undefined : known.get(thread.tid);
      return said(thread) === (before ?? expand(all)) ? [] : [threadFault(thread)];
    }),
    ...seen.groups.flatMap((group) =>
      full.has(group.asked) && group.effective === all && group.partition === 'member' ? [] : [groupFault(group)],
    ),
    ...Object.entries(seen.units).flatMap(([unit, cpus]) => (cpus === '' ? [] : [`${unit}: AllowedCPUs=${cpus}`])),
    ...differences('kernel', bare.kernel, seen.kernel),
    ...(seen.root === all ? [] : [`the root group has ${seen.root}`]),
  ];
}

/** What of a look is not as in a reservation that nobody interrupted; none where all is so. */
export function notWhole(seen: Look, whole: Look, sets: Sets): readonly string[] {
  const known = byThread(whole);
  const isPayload = (path: string): boolean => /^\/?payload[.-]/.test(path);
  const side = (path: string): string => (isPayload(path) ? sets.payload : sets.system);
  const isWithin = (cpus: string, path: string): boolean =>
    isSubset(parseIndexSet(cpus, path), parseIndexSet(side(path), path));
  // What is below them is held by them, and gets its own set when systemd looks at it next.
  const isTop = (path: string): boolean => path.lastIndexOf('/') === 0;
  const tops = new Set(
    whole.groups.filter(({ path, asked }) => isTop(path) && asked === side(path)).map(({ path }) => path),
  );
  return [
    ...differences('file', whole.files, seen.files),
    ...seen.threads.flatMap((thread) => {
      if (thread.kind !== 'user' && thread.kind !== 'movable') return [];
      const right = thread.kind === 'user' ? expand(side(thread.cgroup)) : known.get(thread.tid);
      return right === undefined || said(thread) === right ? [] : [threadFault(thread)];
    }),
    ...seen.groups.flatMap((group) => {
      const { path, asked, effective, partition } = group;
      const isAsked = tops.has(path) ? asked === side(path) : asked === '' || isWithin(asked, path);
      // Mounts right below the root have groups, and never a task in them.
      const isHeld = asked === '' || isWithin(effective, path);
      const type = path === '/payload.slice' ? (sets.partition ?? 'member') : 'member';
      return isAsked && isHeld && partition === type ? [] : [groupFault(group)];
    }),
    ...[...tops].filter((path) => !seen.groups.some((group) => group.path === path)).map((path) => `no group ${path}`),
    ...Object.entries(seen.units).flatMap(([unit, cpus]) =>
      cpus === (whole.units[unit] ?? side(unit)) ? [] : [`${unit}: AllowedCPUs=${cpus}`],
    ),
    ...differences('kernel', whole.kernel, seen.kernel),
    ...(seen.root === whole.root ? [] : [`the root group has ${seen.root}`]),
  ];
}

const text = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'unreadable';
  }
};

function filesIn(folder: string): [path: string, text: string][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): [string, string][] => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesIn(path) : [[path, entry.isFile() ? text(path) : 'no file']];
  });
}

function setForUnits(): [path: string, text: string][] {
  return CONTROL.flatMap(filesIn).filter(([path]) => /\/50-|slicectl/.test(path));
}

function groupsIn(path: string): Group[] {
  const folder = `${CGROUPS}${path}`;
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const own = `${folder}/cpuset.cpus`;
  const group = { path, asked: text(own), effective: text(`${own}.effective`), partition: text(`${own}.partition`) };
  return [...(existsSync(own) ? [group] : []), ...names.flatMap(({ name }) => groupsIn(`${path}/${name}`))];
}

function unitsIn(shown: string): Record<string, string> {
  const blocks = shown.split('\n\n').map((block) => {
    const [, id = ''] = /^Id=(.*)$/m.exec(block) ?? [];
    const [, cpus = ''] = /^AllowedCPUs=(.*)$/m.exec(block) ?? [];
    return [id, cpus.replaceAll(' ', ',')] as const;
  });
  return Object.fromEntries(blocks);
}

function kernelFiles(): string[] {
  const lines = readdirSync('/proc/irq')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => `/proc/irq/${name}/smp_affinity_list`);
  const queues = '/sys/devices/virtual/workqueue';
  const masks = readdirSync(queues).map((name) => `${queues}/${name}/cpumask`);
  return ['/proc/irq/default_smp_affinity', `${queues}/cpumask`, ...lines, ...masks].filter(
    (path) => existsSync(path) && statSync(path).isFile(),
  );
}

function differences(
  what: string,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return paths.flatMap((path) =>
    before[path] === after[path] ? [] : [`${what} ${path}: ${after[path] ?? 'gone'}, not ${before[path] ?? 'there'}`],
  );
}

const said = ({ allowed }: Mask): string => allowed.join();
const expand = (cpus: string): string => parseIndexSet(cpus, 'CPUs').join();
const byThread = ({ threads }: Look): ReadonlyMap<number, string> =>
  new Map(threads.map((one) => [one.tid, said(one)]));
const threadFault = (thread: Mask): string => `${thread.kind} ${thread.cgroup} ${thread.comm}: CPUs ${said(thread)}`;
const groupFault = ({ path, asked, effective, partition }: Group): string =>
  `group ${path}: cpuset.cpus '${asked}', effective ${effective}, ${partition}`;
