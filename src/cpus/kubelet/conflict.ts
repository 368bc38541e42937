import type { Refusal } from '../../change/plan.ts';
import { type IndexSet, intersection, printIndexSet, union } from '../../core/cpuset.ts';
import type { CpuFacts } from '../model.ts';
import { rolesText } from '../roles.ts';
import { sharedByPods } from './ground.ts';
import { exclusiveCpus } from './state.ts';

/**
 * Why these payload CPUs cannot be reserved beside the kubelet as it is: pods may run there. Undefined where no kubelet
 * runs, and where the CPUs are among those that it reserves strictly.
 */
export function kubeletConflict(
  { kubelet, topology, records }: Pick<CpuFacts, 'kubelet' | 'topology' | 'records'>,
  payload: IndexSet,
): Refusal | undefined {
  if (kubelet === undefined || !kubelet.isRunning) return undefined;
  const open = intersection(union(sharedByPods(kubelet, topology.online), exclusiveCpus(kubelet.state)), payload);
  if (open.length === 0) return undefined;
  const roles = rolesText({ topology, reservations: records, interrupts: new Map() }, payload);
  const own = (kubelet.state?.exclusive ?? []).find(({ cpus }) => intersection(cpus, payload).length > 0);
  const who =
    own === undefined
      ? `pods may run on CPUs ${printIndexSet(open)}`
      : `the container ${own.container} of pod ${own.pod} has CPUs ${printIndexSet(own.cpus)} for itself`;
  return {
    reason: `${who}, which the kubelet rules (${roles})`,
    hint: 'give the payload CPUs to pods with --kubelet, or have them in reservedSystemCPUs with cpuManagerPolicy: static and strict-cpu-reservation: "true"',
  };
}
