import type { CheckResult } from '../../change/plan.ts';
import { readIfThere } from '../../host/files.ts';
import type { CgroupDriver } from '../model.ts';
import { callDocker, getDocker } from './api.ts';
import { isObject } from './lint.ts';

/** Long enough to be looked at; the container is removed at once. */
const SECONDS = '30';

/**
 * Makes a container of the smallest image at hand, without network, that only sleeps, looks where its cgroup is, and
 * removes it. Where there is no image, or none that can sleep, there is nothing to prove it by, and the check passes.
 */
export async function probeContainer(socket: string, driver: string, proc: string): Promise<CheckResult> {
  const image = await smallestImage(socket);
  if (image === undefined) return { ok: true, found: 'no image is at hand to make a container of' };
  const made = await callDocker(socket, 'POST', '/containers/create', {
    Image: image,
    Entrypoint: ['sleep'],
    Cmd: [SECONDS],
    Labels: { slicectl: 'probe' },
    HostConfig: { NetworkMode: 'none' },
  });
  const id = made.ok && isObject(made.value) ? String(made.value.Id) : undefined;
  if (id === undefined) return { ok: true, found: 'no container could be made to look at' };
  try {
    const started = await callDocker(socket, 'POST', `/containers/${id}/start`);
    if (!started.ok) return startFailed(started.reason);
    const seen = await getDocker(socket, `/containers/${id}/json`);
    const state = seen.ok && isObject(seen.value) && isObject(seen.value.State) ? seen.value.State : {};
    const text = readIfThere(`${proc}/${String(state.Pid)}/cgroup`) ?? '';
    const found = layoutOf(text, id);
    return {
      ok: found === driver,
      found: found === undefined ? 'its group is not known' : `it got its group by ${found}`,
    };
  } finally {
    await callDocker(socket, 'DELETE', `/containers/${id}?force=true`);
  }
}

/** A start can fail for what the image is, which proves nothing; what is said of groups does. */
function startFailed(reason: string): CheckResult {
  const isOfGroups = /cgroup|slice|scope|systemd/i.test(reason);
  return { ok: !isOfGroups, found: `it does not start: Docker ${reason}` };
}

/** Who made the group of a container, by its path in /proc/PID/cgroup. */
export function layoutOf(cgroups: string, id: string): CgroupDriver | undefined {
  if (cgroups.includes(`/docker-${id}.scope`)) return 'systemd';
  return cgroups.split('\n').some((line) => line.endsWith(`/${id}`)) ? 'cgroupfs' : undefined;
}

async function smallestImage(socket: string): Promise<string | undefined> {
  const answer = await getDocker(socket, '/images/json');
  const images = answer.ok && Array.isArray(answer.value) ? answer.value.filter(isObject) : [];
  const [first] = images.toSorted((a, b) => Number(a.Size) - Number(b.Size));
  return first === undefined ? undefined : String(first.Id);
}
