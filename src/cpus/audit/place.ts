import { slicePath } from '../../core/unit-name.ts';

/**
 * Where a task is, as far as it matters to a reservation.
 *
 * - `unit`: in a unit below a slice. `root-unit`: in a unit that is in the root slice.
 * - `session`: a login of a user, or what a user's manager started.
 * - `container`: in the scope of a container. `pod`: of the kubelet's.
 * - `foreign`: below a top-level group that systemd did not make.
 * - `root`: in the root group, where nothing can be limited.
 */
export interface Place {
  readonly kind: 'unit' | 'root-unit' | 'session' | 'container' | 'pod' | 'foreign' | 'root';
  /** The top-level group's path, `/system.slice`; `/` for the root group. */
  readonly top: string;
  /** The unit of PID 1 that the task belongs to; for what no unit has, the group's path. */
  readonly name: string;
  /** Whose it is or which one: `user 1000`, `container 0123456789ab`, `pod 1b4e28ba-…`. */
  readonly detail: string | undefined;
}

const UNIT = /\.(?:slice|service|scope|socket|mount|swap)$/;
const CONTAINER = /^(?:docker|libpod|crio|cri-containerd|nerdctl)-([0-9a-f]{12})[0-9a-f]*\.scope$/;
const BARE_CONTAINER = /^([0-9a-f]{12})[0-9a-f]{52}$/;
const POD = /(?:^|-)pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;

/** Judges a group by its path: units by systemd's suffixes, containers and pods by the names that their runtimes give. */
export function placeOf(cgroup: string): Place {
  const parts = cgroup.split('/').filter((part) => part !== '');
  const [first] = parts;
  if (first === undefined) return { kind: 'root', top: '/', name: '/', detail: undefined };
  const top = `/${first}`;
  const pod = parts.map((part) => POD.exec(part)?.[1]).find((uid) => uid !== undefined);
  const container = containerOf(parts);
  const inPod = pod && `pod ${pod.replaceAll('_', '-')}${container === undefined ? '' : `, container ${container}`}`;
  if (inPod !== undefined) return { kind: 'pod', top, name: unitAmong(parts) ?? cgroup, detail: inPod };
  if (!UNIT.test(first)) {
    return { kind: 'foreign', top, name: top, detail: container && `container ${container}` };
  }
  if (!first.endsWith('.slice') && first !== 'init.scope') {
    return { kind: 'root-unit', top, name: unescapeGroup(first), detail: undefined };
  }
  const name = unitAmong(parts) ?? first;
  if (container !== undefined) return { kind: 'container', top, name, detail: `container ${container}` };
  const user = parts.map((part) => /^user-(\d+)\.slice$/.exec(part)?.[1]).find((uid) => uid !== undefined);
  if (user !== undefined) return { kind: 'session', top, name, detail: userDetail(parts, user) };
  return { kind: 'unit', top, name, detail: undefined };
}

/** Whether the task is in the slice or below it. */
export function isInSlice(cgroup: string, slice: string): boolean {
  const path = slicePath(slice);
  return cgroup === path || cgroup.startsWith(`${path}/`);
}

/** The innermost unit that PID 1 made: what is below a service or a scope is its own affair. */
function unitAmong(parts: readonly string[]): string | undefined {
  const end = parts.findIndex((part) => UNIT.test(part) && !part.endsWith('.slice'));
  const own = end < 0 ? parts.findLast((part) => UNIT.test(part)) : parts[end];
  return own === undefined ? undefined : unescapeGroup(own);
}

function containerOf(parts: readonly string[]): string | undefined {
  return parts
    .map((part) => CONTAINER.exec(part)?.[1] ?? BARE_CONTAINER.exec(part)?.[1])
    .find((id) => id !== undefined);
}

/** What a user's manager started is named by its own unit. */
function userDetail(parts: readonly string[], uid: string): string {
  const manager = parts.findIndex((part) => part.startsWith('user@'));
  const own = manager < 0 ? undefined : parts.slice(manager + 1).findLast((part) => UNIT.test(part));
  return own === undefined ? `user ${uid}` : `user ${uid}, ${own}`;
}

/** systemd puts `_` before names that the kernel uses itself (cg_escape). */
function unescapeGroup(name: string): string {
  return name.replace(/^_/, '');
}
