import type { Controller } from '../core/properties/row.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

/** One mounted hierarchy: `root` is the group that shows at `mount` (`/` unless the mount shows a subtree). */
export interface Hierarchy {
  readonly mount: string;
  readonly root: string;
}

/** Where this process sees its cgroups. */
export interface CgroupLayout {
  /** `unified`: v2 alone. `legacy`: v1 alone. `hybrid`: v1 controllers beside a v2 mount. */
  readonly mode: 'unified' | 'hybrid' | 'legacy' | 'none';
  readonly v2: Hierarchy | undefined;
  readonly v1: ReadonlyMap<Controller, Hierarchy>;
}

const V1_CONTROLLERS: readonly Controller[] = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'blkio', 'freezer'];

/** Reads the layout from mountinfo (proc_pid_mountinfo(5)); the first mount of a hierarchy counts. */
export function readLayout(paths: HostPaths): CgroupLayout {
  let v2: Hierarchy | undefined;
  const v1 = new Map<Controller, Hierarchy>();
  for (const line of (readIfThere(`${paths.proc}/self/mountinfo`) ?? '').split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [type, , options = ''] = right.split(' ');
    const [, , , root = '/', mount = ''] = left.split(' ').map(unescapeMount);
    if (type === 'cgroup2') v2 ??= { mount, root };
    if (type !== 'cgroup') continue;
    const names = options.split(',');
    for (const controller of V1_CONTROLLERS) {
      if (names.includes(controller) && !v1.has(controller)) v1.set(controller, { mount, root });
    }
  }
  const mode = v1.size > 0 ? (v2 ? 'hybrid' : 'legacy') : v2 ? 'unified' : 'none';
  return { mode, v2, v1 };
}

/** mountinfo writes blank, tab, newline and backslash as `\ooo`. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The group of a process in each hierarchy, as `/proc/PID/cgroup` writes it; `v2` is the `0::` line. */
export interface Membership {
  readonly v2: string | undefined;
  readonly v1: ReadonlyMap<Controller, string>;
}

/** Undefined where the process is gone. */
export function readMembership(paths: HostPaths, pid: number | 'self'): Membership | undefined {
  const text = readIfThere(`${paths.proc}/${pid}/cgroup`);
  if (text === undefined) return undefined;
  let v2: string | undefined;
  const v1 = new Map<Controller, string>();
  for (const line of text.split('\n').filter((l) => l !== '')) {
    const [, names = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (names === '') v2 = path;
    for (const controller of V1_CONTROLLERS) if (names.split(',').includes(controller)) v1.set(controller, path);
  }
  return { v2, v1 };
}

/** The folder of a group: its path below the mount that shows the hierarchy. */
export function groupFolder(hierarchy: Hierarchy, group: string): string {
  const { mount, root } = hierarchy;
  const below = root !== '/' && (group === root || group.startsWith(`${root}/`)) ? group.slice(root.length) : group;
  return below === '/' || below === '' ? mount : `${mount}${below}`;
}

/** Whether systemd runs this machine or container (sd_booted(3)). */
export function systemdIsBooted(paths: HostPaths, isFolder: (path: string) => boolean): boolean {
  return isFolder(`${paths.run}/systemd/system`);
}
