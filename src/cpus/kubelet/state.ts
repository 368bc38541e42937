import { parseKubeletList } from '../../core/cpu-list.ts';
import { equalSets, type IndexSet, intersection, isSubset, printIndexSet, union, without } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { fieldsOf } from './fields.ts';

/** cpu_manager_state: what the CPU manager gave away, written by it at its start and with each container. */
export interface KubeletState {
  readonly path: string;
  readonly policy: string;
  /** Where pods without CPUs of their own run (`defaultCpuSet`). */
  readonly shared: IndexSet;
  readonly exclusive: readonly ExclusiveCpus[];
}

export interface ExclusiveCpus {
  /** The pod's uid. */
  readonly pod: string;
  readonly container: string;
  readonly cpus: IndexSet;
}

/** Undefined for no text. `E_SYNTAX`, or `E_INPUT` for a set that is none. */
export function parseState(text: string | undefined, path: string): KubeletState | undefined {
  if (text === undefined) return undefined;
  const fields = fieldsOf(parseJson(text, path));
  const list = (value: unknown, name: string): IndexSet =>
    parseKubeletList(typeof value === 'string' ? value : '', name);
  const exclusive = Object.entries(fieldsOf(fields.entries)).flatMap(([pod, containers]) =>
    Object.entries(fieldsOf(containers)).map(([container, cpus]) => ({
      pod,
      container,
      cpus: list(cpus, `${path}: ${container}`),
    })),
  );
  return {
    path,
    policy: typeof fields.policyName === 'string' ? fields.policyName : 'none',
    shared: list(fields.defaultCpuSet, `${path}: defaultCpuSet`),
    exclusive,
  };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SlicectlError('E_SYNTAX', `${path} is not JSON`, { data: { path }, cause: error });
  }
}

/** All CPUs that containers have for themselves. */
export function exclusiveCpus(state: KubeletState | undefined): IndexSet {
  return union(...(state?.exclusive ?? []).map(({ cpus }) => cpus));
}

/** What a state file is judged by: the configuration of the kubelet's next start. */
export interface StateGround {
  readonly policy: string;
  readonly isStrict: boolean;
  readonly reserved: IndexSet | undefined;
  readonly online: IndexSet;
}

/**
 * Why a kubelet with this configuration does not start on this state, or undefined where it does: validateState of
 * pkg/kubelet/cm/cpumanager/policy_static.go, and restoreState of state/state_checkpoint.go for the policy.
 */
export function stateFault(state: KubeletState, ground: StateGround): string | undefined {
  const { policy, isStrict, reserved = [], online } = ground;
  if (state.policy !== policy) return `it was written with the policy ${state.policy}, and ${policy} is configured`;
  if (policy !== 'static' || (state.shared.length === 0 && state.exclusive.length === 0)) return undefined;
  const { shared, exclusive } = state;
  if (shared.length === 0) return 'containers have CPUs for themselves by it, and none are left that pods share';
  const within = intersection(reserved, shared);
  if (isStrict && within.length > 0) {
    return `pods share CPUs ${printIndexSet(within)} by it, which are reserved strictly now`;
  }
  if (!isStrict && !isSubset(reserved, shared)) {
    return `CPUs ${printIndexSet(without(reserved, shared))} are reserved and not among those that pods share by it`;
  }
  for (const { pod, container, cpus } of exclusive) {
    const who = `container ${container} of pod ${pod} has CPUs ${printIndexSet(cpus)} for itself by it`;
    const both = intersection(cpus, shared);
    if (both.length > 0) return `${who}, of which pods share ${printIndexSet(both)}`;
    const kept = isStrict ? intersection(cpus, reserved) : [];
    if (kept.length > 0) return `${who}, of which ${printIndexSet(kept)} are reserved strictly now`;
  }
  // None of the reserved ones is among the others by now, so that this is the kubelet's comparison without them.
  const known = union(shared, exclusiveCpus(state), isStrict ? reserved : []);
  // Strictly, and not said which: the kubelet picks those by itself.
  const isUnsaid = isStrict && ground.reserved === undefined;
  if (isUnsaid ? isSubset(known, online) : equalSets(known, online)) return undefined;
  return `it is about CPUs ${printIndexSet(known)}, and CPUs ${printIndexSet(online)} are online`;
}
