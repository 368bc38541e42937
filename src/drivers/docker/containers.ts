import type { HostPaths } from '../../host/paths.ts';
import { readProcess } from '../../host/processes.ts';
import type { CgroupDriver } from '../model.ts';
import { getDocker } from './api.ts';
import { isObject } from './lint.ts';

/** What a restart of the daemon and another driver mean for a container. */
export interface DockerContainer {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  /** `no`, `always`, `unless-stopped`, `on-failure`. */
  readonly restart: string;
  /** `--rm`: it is removed when it stops. */
  readonly autoRemove: boolean;
  /** `HostConfig.CgroupParent`; empty for the daemon's own. */
  readonly parent: string;
  /** A container of a Kubernetes pod, which the kubelet makes and removes. */
  readonly isPod: boolean;
  /** By the cgroup it is in now; undefined where that says nothing. */
  readonly layout: CgroupDriver | undefined;
}

/** Inspections at a time: dockerd answers them one after another anyway. */
const AT_ONCE = 8;

/** All containers, or undefined where the daemon does not say. One that vanishes meanwhile is left out. */
export async function readContainers(
  socket: string,
  paths: HostPaths,
): Promise<readonly DockerContainer[] | undefined> {
  const answer = await getDocker(socket, '/containers/json?all=1');
  if (!answer.ok || !Array.isArray(answer.value)) return undefined;
  const ids = answer.value.flatMap((row) => (isObject(row) && typeof row.Id === 'string' ? [row.Id] : []));
  const found: DockerContainer[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const answers = await Promise.all(
      ids.slice(at, at + AT_ONCE).map((id) => getDocker(socket, `/containers/${id}/json`)),
    );
    for (const each of answers) {
      if (!each.ok && each.reason.startsWith('does not answer')) return undefined;
      if (each.ok && isObject(each.value)) found.push(toContainer(each.value, paths));
    }
  }
  return found;
}

function toContainer(value: Record<string, unknown>, paths: HostPaths): DockerContainer {
  const part = (of: unknown, name: string): Record<string, unknown> => {
    const inner = isObject(of) ? of[name] : undefined;
    return isObject(inner) ? inner : {};
  };
  const text = (found: unknown): string => (typeof found === 'string' ? found : '');
  const state = part(value, 'State');
  const host = part(value, 'HostConfig');
  const id = text(value.Id);
  const running = state.Running === true;
  const pid = running && typeof state.Pid === 'number' && state.Pid > 0 ? state.Pid : undefined;
  return {
    id,
    name: text(value.Name).replace(/^\//, '') || id.slice(0, 12),
    running,
    restart: text(part(host, 'RestartPolicy').Name) || 'no',
    autoRemove: host.AutoRemove === true,
    parent: text(host.CgroupParent),
    isPod: 'io.kubernetes.pod.uid' in part(part(value, 'Config'), 'Labels'),
    layout: pid === undefined ? undefined : layoutOf(readProcess(paths, pid)?.cgroup, id),
  };
}

/** systemd has `docker-ID.scope` in a slice, cgroupfs a folder named by the id. */
export function layoutOf(cgroup: string | undefined, id: string): CgroupDriver | undefined {
  const parts = cgroup?.split('/') ?? [];
  if (parts.includes(`docker-${id}.scope`)) return 'systemd';
  return parts.includes(id) ? 'cgroupfs' : undefined;
}
