import { SlicectlError } from '../../core/errors.ts';
import { CriClient } from '../cri/client.ts';
import type { GrpcFailure } from '../cri/grpc.ts';
import type { CgroupDriver, LiveHost } from '../model.ts';
import { type LoadedUnit, readLoaded } from '../service/loaded.ts';
import { shortVersion } from './program.ts';

/** containerd as it runs. */
export interface Running {
  readonly socket: string;
  /** Undefined where systemd was not asked or does not know the unit. */
  readonly loaded: LoadedUnit | undefined;
  /** Of the daemon, which may be older than the program on the disk. */
  readonly version: string | undefined;
  /** Each runtime with the driver that the daemon gives it; undefined where the CRI does not answer. */
  readonly drivers: ReadonlyMap<string, CgroupDriver> | undefined;
  /** What CRI RuntimeConfig tells a kubelet; undefined before 2.0. */
  readonly announced: CgroupDriver | undefined;
  readonly failure: GrpcFailure | undefined;
  /** `namespace/name` of the pods that are ready. */
  readonly pods: readonly string[];
}

export async function readRunning(live: LiveHost, unit: string | undefined, socket: string): Promise<Running> {
  const loaded = await lookUp(live, unit);
  const client = new CriClient(socket);
  const status = await client.status();
  if (!status.ok) {
    const { failure } = status;
    return { socket, loaded, version: undefined, drivers: undefined, announced: undefined, failure, pods: [] };
  }
  const [version, announced, pods] = await Promise.all([client.version(), client.runtimeConfig(), client.pods()]);
  return {
    socket,
    loaded,
    version: version.ok ? shortVersion(version.value.runtimeVersion) : undefined,
    drivers: driversIn(status.value.info.get('config') ?? ''),
    announced: announced.ok ? announced.value : undefined,
    failure: undefined,
    pods: pods.ok ? pods.value.flatMap((pod) => (pod.isReady ? [`${pod.namespace}/${pod.name}`] : [])) : [],
  };
}

async function lookUp({ system }: LiveHost, unit: string | undefined): Promise<LoadedUnit | undefined> {
  if (system === undefined || unit === undefined) return undefined;
  try {
    return await readLoaded(system, unit);
  } catch (error) {
    // What systemd does not say can be seen without it.
    if (error instanceof SlicectlError) return undefined;
    throw error;
  }
}

/**
 * The `config` that the CRI plugin gives with a verbose Status, the same of 1.4 to 2.x: `containerd.runtimes.NAME.options`,
 * null where a runtime has none. Before 2.0 the plugin's `systemdCgroup` rules a v1 shim without options.
 */
export function driversIn(config: string): ReadonlyMap<string, CgroupDriver> | undefined {
  const parsed = parseJson(config);
  const runtimes = field(field(parsed, 'containerd'), 'runtimes');
  if (typeof runtimes !== 'object' || runtimes === null) return undefined;
  const forAll = field(parsed, 'systemdCgroup') === true;
  return new Map(
    Object.entries(runtimes).map(([name, runtime]): [string, CgroupDriver] => {
      const options = field(runtime, 'options') ?? undefined;
      const isOldShim = field(runtime, 'runtimeType') === 'io.containerd.runtime.v1.linux';
      const isOn = options === undefined && isOldShim ? forAll : switchIn(options);
      return [name, isOn ? 'systemd' : 'cgroupfs'];
    }),
  );
}

function switchIn(options: unknown): boolean {
  if (typeof options !== 'object' || options === null) return false;
  return Object.entries(options).some(([key, value]) => key.toLowerCase() === 'systemdcgroup' && value === true);
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
