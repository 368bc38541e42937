import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import type { Controller } from '../../src/core/properties/row.ts';
import { groupFolder, readLayout, readMembership } from '../../src/host/cgroups.ts';
import { HOST } from '../../src/host/paths.ts';
import { foldersIn } from '../../src/host/tree.ts';
import type { Launcher } from '../../src/index.ts';
import type { Ground, Scenario } from './scenario.ts';

/** Where the emulated machines have their data disk. */
const DISK = '/data';

/** Why a scenario cannot be shown here, or undefined. */
export function lacking({ needs, also = [] }: Scenario, { backend }: Pick<Launcher, 'backend'>): string | undefined {
  const layout = readLayout(HOST);
  const isV1 = backend.kind === 'cgroup-v1' || (backend.kind === 'systemd' && layout.v1.size > 0);
  if (also.includes('v2') && isV1) return 'cgroup v1 cannot do this';
  if (also.includes('freezer') && isV1 && backend.kind === 'systemd') return 'systemd freezes units on cgroup v2 only';
  if (also.includes('disk') && !existsSync(DISK)) return `there is no ${DISK} with a disk of its own`;
  if (isV1) {
    if (backend.kind === 'systemd' && needs.includes('cpuset')) return 'systemd does not manage cpuset on cgroup v1';
    const absent = needs.filter((controller) => !layout.v1.has(controller === 'io' ? 'blkio' : controller));
    return absent.length > 0 ? `not mounted as v1: ${absent.join(', ')}` : undefined;
  }
  const mount = layout.v2?.mount ?? '';
  const own = backend.kind === 'systemd' || !layout.v2 ? '/' : base(readMembership(HOST, 'self')?.v2 ?? '/');
  const folder = layout.v2 ? groupFolder(layout.v2, own) : mount;
  const offered = readFileSync(`${folder}/cgroup.controllers`, 'utf8').trim().split(' ');
  const absent = needs.filter((controller) => !offered.includes(controller));
  return absent.length > 0 ? `cgroup v2 here has no controller ${absent.join(', ')}` : undefined;
}

/** The group below which the backend makes jobs: not the leaf into which it moved this process. */
function base(group: string): string {
  return group.replace(/\/[^/]*slicectl_supervisor[^/]*$/, '') || '/';
}

export interface RestorableGround extends Ground {
  restore(): Promise<void>;
}

export function groundOf(launcher: Launcher, folder: string): RestorableGround {
  const undo: (() => void)[] = [];
  return {
    launcher,
    folder,
    noSwap: launcher.backend.kind === 'systemd' && readLayout(HOST).v1.size > 0 ? {} : { MemorySwapMax: '0' },
    disk: existsSync(DISK) ? { device: DISK, folder: DISK } : undefined,
    slice: async (name, limits) => {
      undo.push(launcher.backend.kind === 'systemd' ? systemdSlice(name, limits) : plainSlice(launcher, name, limits));
      return name;
    },
    remains: async () => (launcher.backend.kind === 'systemd' ? unitNames() : folderNames()),
    restore: async () => {
      for (const step of undo.reverse()) step();
    },
  };
}

function systemdSlice(name: string, limits: Readonly<Record<string, string>>): () => void {
  const settings = Object.entries({ ...limits, MemorySwapMax: '0' }).map(([key, value]) => `${key}=${value}`);
  execFileSync('systemctl', ['set-property', '--runtime', name, ...settings]);
  execFileSync('systemctl', ['start', name]);
  return () => {
    execFileSync('systemctl', ['stop', name]);
    execFileSync('systemctl', ['revert', name]);
  };
}

/** The same by hand, in the group below which the backend makes jobs. */
function plainSlice(launcher: Launcher, name: string, limits: Readonly<Record<string, string>>): () => void {
  const layout = readLayout(HOST);
  const own = readMembership(HOST, 'self');
  const isV1 = launcher.backend.kind === 'cgroup-v1';
  const files: [Controller, string, string | undefined][] = isV1
    ? [
        ['memory', 'memory.limit_in_bytes', limits.MemoryMax],
        ['memory', 'memory.memsw.limit_in_bytes', limits.MemoryMax],
        ['pids', 'pids.max', limits.TasksMax],
      ]
    : [
        ['memory', 'memory.max', limits.MemoryMax],
        ['memory', 'memory.swap.max', '0'],
        ['pids', 'pids.max', limits.TasksMax],
      ];
  const made = new Set<string>();
  for (const [controller, file, text] of files) {
    const hierarchy = isV1 ? layout.v1.get(controller) : layout.v2;
    const group = (isV1 ? own?.v1.get(controller) : own?.v2) ?? '/';
    if (!hierarchy || text === undefined) continue;
    const parent = groupFolder(hierarchy, base(group));
    const folder = `${parent}/${name}`;
    if (!existsSync(folder)) mkdirSync(folder);
    made.add(folder);
    if (existsSync(`${folder}/${file}`)) writeFileSync(`${folder}/${file}`, text);
  }
  return () => {
    for (const folder of made) if (existsSync(folder)) rmdirSync(folder);
  };
}

/** What this process makes carries its pid: other launchers may be at work on the same machine. */
const OWN = [`slicectl_${process.pid.toString(36)}_`, `contract-${process.pid}`, `again-${process.pid}`];

function unitNames(): string[] {
  const patterns = OWN.flatMap((stem) => [`${stem}*`, `*-${stem}*`]);
  const listing = execFileSync('systemctl', ['list-units', '--all', '--no-legend', '--plain', ...patterns], {
    encoding: 'utf8',
  });
  return listing
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.trim().split(/\s+/)[0] ?? '');
}

function folderNames(): string[] {
  const layout = readLayout(HOST);
  const mounts = [...layout.v1.values(), ...(layout.v2 ? [layout.v2] : [])].map(({ mount }) => mount);
  return [...new Set(mounts)].flatMap(groupsBelow).filter((name) => OWN.some((stem) => name.startsWith(stem)));
}

function groupsBelow(folder: string): string[] {
  return foldersIn(folder).flatMap((name) => [name, ...groupsBelow(`${folder}/${name}`)]);
}
