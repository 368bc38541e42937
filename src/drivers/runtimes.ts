import type { CheckTable, PlanNote, Refusal, Step } from '../change/plan.ts';
import { containerd } from './containerd/containerd.ts';
import { criDockerd } from './cri-dockerd/cri-dockerd.ts';
import { crio } from './crio/crio.ts';
import { distributions } from './distributions/distributions.ts';
import { docker } from './docker/docker.ts';
import { kubelet } from './kubelet/kubelet.ts';
import type { AlignRequest, DriverHost, Runtime, RuntimeName, RuntimePlan, RuntimeStatus } from './model.ts';
import { podman } from './podman/podman.ts';

/** One instance of a runtime with what its module can do with it. */
export interface Instance {
  readonly runtime: RuntimeName;
  readonly rows: readonly RuntimeStatus[];
  plan(request: AlignRequest, others: readonly RuntimeStatus[]): RuntimePlan;
  validate(plan: RuntimePlan): Promise<readonly Refusal[]>;
  /** See {@link Runtime.around}. */
  around(request: AlignRequest): RuntimePlan | undefined;
  /** See {@link Runtime.impact}. */
  impact?(steps: readonly Step[]): readonly PlanNote[];
}

/** A runtime's module with its facts kept inside. */
export interface Reader {
  readonly name: RuntimeName;
  /** Whether its instances know what jobs of units do to what runs. */
  readonly knowsImpact: boolean;
  read(host: DriverHost): Promise<readonly Instance[]>;
  checks(host: DriverHost): CheckTable;
}

/** Every runtime that slicectl knows, in the order in which they are shown and restarted: the kubelet last. */
export const readers: readonly Reader[] = [
  readerOf(docker),
  readerOf(containerd),
  readerOf(crio),
  readerOf(podman),
  readerOf(criDockerd),
  ...distributions.map(readerOf),
  readerOf(kubelet),
];

function readerOf<Facts>(runtime: Runtime<Facts>): Reader {
  return {
    name: runtime.name,
    knowsImpact: runtime.impact !== undefined,
    checks: (host) => runtime.checks(host),
    read: async (host) =>
      (await runtime.read(host)).map((facts) => ({
        runtime: runtime.name,
        rows: runtime.status(facts),
        plan: (request, others) => runtime.plan(facts, request, others),
        around: (request) => runtime.around?.(facts, request),
        impact: (steps) => runtime.impact?.(facts, steps) ?? [],
        validate: async (plan) => (await runtime.validate?.(facts, plan, host)) ?? [],
      })),
  };
}
