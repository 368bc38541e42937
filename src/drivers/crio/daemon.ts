import { CriClient } from '../cri/client.ts';
import { getDocker as getJson } from '../docker/api.ts';
import { CGROUP_DRIVERS, type CgroupDriver, type Observed } from '../model.ts';

/** What a CRI-O that runs says of itself. */
export interface CrioDaemon {
  readonly version: string | undefined;
  readonly observed: Observed | undefined;
  /** `namespace/name` of the pods that run; undefined where it does not say. */
  readonly pods: readonly string[] | undefined;
}

/** Asks on its socket, which speaks HTTP beside the CRI: `GET /info`, and where that fails the CRI's RuntimeConfig. */
export async function askCrio(socket: string): Promise<CrioDaemon> {
  const client = new CriClient(socket);
  const [version, pods, observed] = await Promise.all([client.version(), client.pods(), observe(socket, client)]);
  return {
    version: version.ok ? version.value.runtimeVersion || undefined : undefined,
    observed,
    pods: pods.ok
      ? pods.value.filter(({ isReady }) => isReady).map(({ namespace, name }) => `${namespace}/${name}`)
      : undefined,
  };
}

async function observe(socket: string, client: CriClient): Promise<Observed | undefined> {
  const info = await readInfo(socket);
  if (info.driver !== undefined) return { driver: info.driver, how: 'api', text: `GET /info on ${socket}` };
  const answer = await client.runtimeConfig();
  const driver = answer.ok ? answer.value : undefined;
  return driver && { driver, how: 'cri', text: `RuntimeConfig on ${socket}` };
}

/** The driver by `GET /info`, or why there is no answer. */
export async function readInfo(
  socket: string,
): Promise<{ readonly driver: CgroupDriver | undefined; readonly reason: string }> {
  const answer = await getJson(socket, '/info');
  if (!answer.ok) return { driver: undefined, reason: answer.reason };
  const said = (answer.value as { cgroup_driver?: unknown } | null)?.cgroup_driver;
  return { driver: CGROUP_DRIVERS.find((known) => known === said), reason: 'does not say its cgroup driver' };
}
