import { quote } from '../../core/errors.ts';
import type { CgroupDriver } from '../model.ts';
import { type Answer, grpcCall } from './grpc.ts';
import {
  decodeMessage,
  encodeMessage,
  mapOf,
  messageOf,
  messagesOf,
  numberOf,
  stringOf,
  type WireField,
} from './protobuf.ts';

export interface CriVersion {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  readonly apiVersion: string;
}

export interface CriStatus {
  readonly conditions: readonly { readonly type: string; readonly ok: boolean; readonly message: string }[];
  /** With what containerd and CRI-O say of themselves, mostly JSON texts: containerd's `config`. */
  readonly info: ReadonlyMap<string, string>;
}

export interface CriPod {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly isReady: boolean;
  /** The runtime table that it was made with; empty for the default one. */
  readonly handler: string;
}

export interface CriContainer {
  readonly id: string;
  readonly podId: string;
  readonly name: string;
  readonly isRunning: boolean;
}

/** cri-api, runtime/v1/api.proto. */
const SERVICE = 'runtime.v1.RuntimeService';
/** The only one of containerd before 1.6 and CRI-O before 1.23. */
const OLDER_SERVICE = 'runtime.v1alpha2.RuntimeService';
const DEADLINE_MS = 5_000;
const NOTHING = encodeMessage([]);

/** The calls of the Container Runtime Interface that say something of cgroup drivers. None of them changes anything. */
export class CriClient {
  readonly socket: string;
  readonly #deadlineMs: number;

  /** `socket` is the path of a unix socket on this host, without `unix://`. */
  constructor(socket: string, deadlineMs = DEADLINE_MS) {
    this.socket = socket;
    this.#deadlineMs = deadlineMs;
  }

  version(): Promise<Answer<CriVersion>> {
    return this.#call('Version', NOTHING, (fields) => ({
      runtimeName: stringOf(fields, 2),
      runtimeVersion: stringOf(fields, 3),
      apiVersion: stringOf(fields, 4),
    }));
  }

  /** The driver that a kubelet takes over; undefined where the runtime answers without one. */
  runtimeConfig(): Promise<Answer<CgroupDriver | undefined>> {
    return this.#call('RuntimeConfig', NOTHING, (fields) => {
      const linux = messageOf(fields, 1);
      if (linux === undefined) return undefined;
      return numberOf(linux, 1) === 1 ? 'cgroupfs' : 'systemd';
    });
  }

  /** The verbose status, as `crictl info` shows it. */
  status(): Promise<Answer<CriStatus>> {
    return this.#call('Status', encodeMessage([[1, true]]), (fields) => ({
      conditions: messagesOf(messageOf(fields, 1) ?? [], 1).map((condition) => ({
        type: stringOf(condition, 1),
        ok: numberOf(condition, 2) === 1,
        message: stringOf(condition, 4),
      })),
      info: mapOf(fields, 2),
    }));
  }

  pods(): Promise<Answer<readonly CriPod[]>> {
    return this.#call('ListPodSandbox', NOTHING, (fields) =>
      messagesOf(fields, 1).map((pod) => {
        const metadata = messageOf(pod, 2) ?? [];
        return {
          id: stringOf(pod, 1),
          namespace: stringOf(metadata, 3),
          name: stringOf(metadata, 1),
          isReady: numberOf(pod, 3) === 0,
          handler: stringOf(pod, 7),
        };
      }),
    );
  }

  containers(): Promise<Answer<readonly CriContainer[]>> {
    return this.#call('ListContainers', NOTHING, (fields) =>
      messagesOf(fields, 1).map((container) => ({
        id: stringOf(container, 1),
        podId: stringOf(container, 2),
        name: stringOf(messageOf(container, 3) ?? [], 1),
        isRunning: numberOf(container, 6) === 1,
      })),
    );
  }

  async #call<T>(name: string, request: Uint8Array, read: (fields: readonly WireField[]) => T): Promise<Answer<T>> {
    const ask = (service: string): Promise<Answer<Uint8Array>> =>
      grpcCall({ socket: this.socket, method: `/${service}/${name}`, request, deadlineMs: this.#deadlineMs });
    let answer = await ask(SERVICE);
    // Only an unknown service is a reason to try the older one; a call that the service lacks, the older one lacked too.
    if (!answer.ok && answer.failure.detail.includes('unknown service')) {
      const older = await ask(OLDER_SERVICE);
      if (older.ok) answer = older;
    }
    return answer.ok ? understand(this.socket, answer.value, read) : answer;
  }
}

function understand<T>(socket: string, bytes: Uint8Array, read: (fields: readonly WireField[]) => T): Answer<T> {
  try {
    return { ok: true, value: read(decodeMessage(bytes)) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const detail = error.message;
    return {
      ok: false,
      failure: { reason: 'error', message: `${quote(socket)} answered with ${detail}`, detail },
    };
  }
}
