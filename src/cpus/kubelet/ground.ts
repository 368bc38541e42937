import { type IndexSet, without } from '../../core/cpuset.ts';
import type { Source } from '../../drivers/model.ts';
import type { Finding } from '../finding.ts';
import type { CpuFacts } from '../model.ts';
import { isOptionOn, type KubeletCpus } from './read.ts';

/** What the kubelet is judged by. */
export interface Ground {
  readonly facts: CpuFacts;
  readonly kubelet: KubeletCpus;
  /** Payload CPUs that the kubelet gives to containers. */
  readonly own: IndexSet;
  /** Payload CPUs of others, where no pod may run. */
  readonly others: IndexSet;
  /** System CPUs as they are online. */
  readonly system: IndexSet;
  readonly isStatic: boolean;
  readonly isStrict: boolean;
}

/** One rule of agreement: what is wrong by it. */
export type Rule = (ground: Ground) => readonly Finding[];

/**
 * The CPUs that a kubelet has to keep for the system where it gives `payload` to containers: all others that are online,
 * also those of other reservations and of `isolcpus=`, which it knows nothing of (kubernetes#87862).
 */
export function reservedFor(online: IndexSet, payload: IndexSet): IndexSet {
  return without(online, payload);
}

/** Where pods without CPUs of their own may run, by the state where there is one, else by the configuration. */
export function sharedByPods(kubelet: KubeletCpus, online: IndexSet): IndexSet {
  const { state, policy, policyOptions, reserved = [] } = kubelet;
  if (policy !== 'static') return online;
  if (state?.policy === 'static' && state.shared.length > 0) return state.shared;
  return isOptionOn(policyOptions, 'strict-cpu-reservation') ? without(online, reserved) : online;
}

/** What brings the kubelet and the reservation together again. */
export const AGREE = 'slicectl cpus reserve --kubelet --drained, for the same slice and CPUs, on the drained node';

export function finding(kind: string, severity: Finding['severity'], subject: string, texts: Texts): Finding {
  return { kind: `kubelet-${kind}`, severity, subject, ...texts, isFixable: false };
}

interface Texts {
  readonly what: string;
  readonly cause: string;
  readonly cure: string;
}

/** Where to go: a file with its line, or the file that would hold it. */
export function placeOf(source: Source | undefined, otherwise: string): string {
  if (source?.path === undefined) return source?.text ?? otherwise;
  return source.line === undefined ? source.path : `${source.path}:${source.line}`;
}
