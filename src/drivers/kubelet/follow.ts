import { isAtLeast } from '../../core/program-version.ts';
import { CriClient } from '../cri/client.ts';
import type { DriverHost, RuntimeName, RuntimeStatus } from '../model.ts';
import type { Followed, KubeletSettings } from './facts.ts';
import { gateOf, textOf } from './settings.ts';

const GATE = 'KubeletCgroupDriverFromCRI';
/** The kubelet's default since 1.24, when dockershim went (pkg/kubelet/apis/config/v1beta1/defaults.go). */
const DEFAULT_ENDPOINT = 'unix:///run/containerd/containerd.sock';

/**
 * Whether this kubelet asks its runtime for the driver: KEP-4033, alpha in 1.28, on in 1.31, locked in 1.34. Undefined
 * for an unknown version and no word of the gate.
 */
export function asksRuntime(settings: KubeletSettings, version: string | undefined): boolean | undefined {
  const set = gateOf(settings, GATE);
  if (version === undefined) return set;
  if (!isAtLeast(version, '1.28')) return false;
  if (isAtLeast(version, '1.34')) return true;
  if (set !== undefined) return set;
  return isAtLeast(version, '1.31') ? (gateOf(settings, 'AllBeta') ?? true) : (gateOf(settings, 'AllAlpha') ?? false);
}

/** The socket of the kubelet's runtime as a path, or undefined for what is no unix socket. */
export function runtimeSocket(settings: KubeletSettings): string | undefined {
  const endpoint = textOf(settings, 'containerRuntimeEndpoint') ?? DEFAULT_ENDPOINT;
  const path = endpoint.replace(/^unix:(\/\/)?/, '');
  return path.startsWith('/') ? path : undefined;
}

/** Which runtime listens there, by the names that sockets have. */
export function runtimeBehind(socket: string): RuntimeName {
  if (/crio/.test(socket)) return 'crio';
  return /docker/.test(socket) ? 'cri-dockerd' : 'containerd';
}

export interface Asked {
  readonly followed: Followed | undefined;
  readonly runtimeTellsNothing: string | undefined;
}

/** What the runtime says of its driver: itself where it runs, else by its files. */
export async function askRuntime(
  host: DriverHost,
  settings: KubeletSettings,
  version: string | undefined,
): Promise<Asked> {
  const socket = runtimeSocket(settings);
  if (socket === undefined || asksRuntime(settings, version) !== true) return OWN;
  const runtime = runtimeBehind(socket);
  if (host.live !== undefined) {
    const answer = await new CriClient(socket).runtimeConfig();
    const text = `RuntimeConfig of ${runtime} on ${socket}`;
    if (answer.ok && answer.value !== undefined) {
      return { followed: { runtime, driver: answer.value, how: 'cri', text }, runtimeTellsNothing: undefined };
    }
    // A kubelet goes by its own setting where the call is not known or tells nothing, and waits where nobody answers.
    if (answer.ok || answer.failure.reason === 'unimplemented') return tellsNothing(runtime);
  }
  const rows = await rowsOf(host, runtime);
  // containerd answers for its default runtime, which comes first.
  const [row] = rows;
  if (row === undefined) return OWN;
  if (!canTell(runtime, row.version)) return tellsNothing(runtime);
  const { driver } = row.configured;
  const text = `what ${runtime} is configured to, which it will tell the kubelet`;
  return {
    followed: { runtime, driver, how: driver === undefined ? 'unknown' : 'files', text },
    runtimeTellsNothing: undefined,
  };
}

const OWN: Asked = { followed: undefined, runtimeTellsNothing: undefined };

function tellsNothing(runtime: RuntimeName): Asked {
  return { followed: undefined, runtimeTellsNothing: runtime };
}

/** The first releases with RuntimeConfig. An unknown version is taken for an old one, which changes nothing by itself. */
function canTell(runtime: RuntimeName, version: string | undefined): boolean {
  if (version === undefined) return false;
  if (runtime === 'containerd') return isAtLeast(version, '2.0');
  if (runtime === 'crio') return isAtLeast(version, '1.28');
  return isAtLeast(version, '0.4');
}

async function rowsOf(host: DriverHost, runtime: RuntimeName): Promise<readonly RuntimeStatus[]> {
  switch (runtime) {
    case 'containerd': {
      const { containerd } = await import('../containerd/containerd.ts');
      return (await containerd.read(host)).flatMap((facts) => containerd.status(facts));
    }
    case 'crio': {
      const { crio } = await import('../crio/crio.ts');
      return (await crio.read(host)).flatMap((facts) => crio.status(facts));
    }
    default: {
      const { criDockerd } = await import('../cri-dockerd/cri-dockerd.ts');
      return (await criDockerd.read(host)).flatMap((facts) => criDockerd.status(facts));
    }
  }
}
