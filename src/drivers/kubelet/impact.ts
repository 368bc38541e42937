import type { PlanNote, Step } from '../../change/plan.ts';
import type { KubeletFacts } from './facts.ts';

/** What a stop of the kubelet for a change of its settings means to pods that run: they live, and may not be taken over. */
export function impactOfKubeletJobs({ command, run }: KubeletFacts, steps: readonly Step[]): readonly PlanNote[] {
  const pods = run?.pods ?? [];
  const isStopped = steps.some(
    (step) => step.kind === 'unit' && step.unit === command.unit && (step.verb === 'stop' || step.verb === 'restart'),
  );
  if (!isStopped || pods.length === 0) return [];
  return [
    {
      severity: 'warning',
      text: `${pods.length === 1 ? 'a pod runs' : `${pods.length} pods run`} that the kubelet made with its settings of now, and may fail with others: drain the node first`,
      items: pods,
    },
  ];
}
