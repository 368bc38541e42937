import type { PlanNote, Refusal, Step } from '../../change/plan.ts';
import type { IndexSet } from '../../core/cpuset.ts';
import type { CpuFacts } from '../model.ts';
import type { CpuHost } from '../show.ts';

export interface ShareRequest {
  /** Stays with the system, also what is offline now. */
  readonly system: IndexSet;
  /** What the kubelet may give to containers for themselves. */
  readonly payload: IndexSet;
  /** `--drained`: no pods run, or those that run may fail. */
  readonly drained: boolean;
}

/** The kubelet's share of a plan. All lists are empty where it is as it should be. */
export interface KubeletShare {
  readonly steps: {
    /** Before the first file is written. */
    readonly stop: readonly Step[];
    readonly files: readonly Step[];
    /** After the last step that gives or takes CPUs. */
    readonly start: readonly Step[];
  };
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

/** What `reserve --kubelet` changes in the kubelet, so that it gives the payload CPUs to containers and no others. */
export async function kubeletShare(_facts: CpuFacts, _host: CpuHost, _request: ShareRequest): Promise<KubeletShare> {
  return {
    steps: { stop: [], files: [], start: [] },
    refusals: [{ reason: 'the kubelet cannot be changed yet' }],
    notes: [],
  };
}
