import { type IndexSet, intersection, union } from '../../core/cpuset.ts';
import type { Finding } from '../finding.ts';
import type { CpuFacts, ReservationRecord, Wanted } from '../model.ts';
import { finding, type Ground, placeOf, type Rule } from './ground.ts';
import {
  daemons,
  exclusiveOnSystem,
  isolcpus,
  offline,
  podsElsewhere,
  podsGroup,
  staleState,
} from './placement-rules.ts';
import { isOptionOn, type KubeletCpus } from './read.ts';
import { misspelt, policy, reserved, strict, unreadable, wholeCores } from './settings-rules.ts';

/**
 * Whether the kubelet's configuration and state agree with the reservations that are written down. Pure. Without a
 * reservation it is said that a static policy alone keeps no service off.
 */
export function kubeletRules(facts: CpuFacts, wanted: Wanted): readonly Finding[] {
  const { kubelet, records, topology } = facts;
  if (kubelet === undefined) return [];
  const isStatic = kubelet.policy === 'static';
  if (records.length === 0) return isStatic && kubelet.isRunning ? [unshielded(kubelet)] : [];
  const ground: Ground = {
    facts,
    kubelet,
    own: cpusOf(records.filter((record) => record.kubelet)),
    others: cpusOf(records.filter((record) => !record.kubelet)),
    system: intersection(wanted.system, topology.online),
    isStatic,
    isStrict: isStatic && isOptionOn(kubelet.policyOptions, 'strict-cpu-reservation'),
  };
  const rules = ground.own.length > 0 ? [...SHARED_RULES, ...OWN_RULES] : SHARED_RULES;
  return rules.flatMap((rule) => rule(ground));
}

/** Rules that hold for every node with a reservation. */
const SHARED_RULES: readonly Rule[] = [
  unreadable,
  misspelt,
  podsElsewhere,
  exclusiveOnSystem,
  daemons,
  offline,
  staleState,
];
/** Rules for a node whose kubelet gives the payload CPUs to containers. */
const OWN_RULES: readonly Rule[] = [policy, reserved, strict, wholeCores, podsGroup, isolcpus];

function unshielded({ configPath, sources }: KubeletCpus): Finding {
  return finding('unshielded', 'info', placeOf(sources.cpuManagerPolicy, configPath), {
    what: 'the CPU manager is static, and no reservation keeps system services off the CPUs that it gives to containers',
    cause: 'its exclusivity is one among pods: services of the host go on running there (kubernetes#85764)',
    cure: 'slicectl cpus reserve --for kubepods.slice --kubelet, with --cores or --cpus',
  });
}

function cpusOf(records: readonly ReservationRecord[]): IndexSet {
  return union(...records.map(({ cpus }) => cpus));
}
