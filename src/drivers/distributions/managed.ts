import type { RootTree } from '../../host/root-tree.ts';
import type { AlignRequest, Runtime, RuntimeName, RuntimePlan, RuntimeStatus } from '../model.ts';

/** A distribution of Kubernetes that makes the files of its runtime and its kubelet itself. */
export interface ManagedFacts {
  readonly row: RuntimeStatus;
  /** What to do there instead of editing files. */
  readonly advice: (request: AlignRequest) => string;
}

/** Such a distribution as a runtime that is looked at, and never changed. */
export function managed(name: RuntimeName, title: string, read: Runtime<ManagedFacts>['read']): Runtime<ManagedFacts> {
  return {
    name,
    read,
    status: ({ row }) => [row],
    plan: (facts, request) => planManaged(title, facts, request),
    checks: () => ({}),
  };
}

function planManaged(title: string, { row, advice }: ManagedFacts, request: AlignRequest): RuntimePlan {
  const { running, configured } = row;
  const isRight = configured.driver === request.to && (running === undefined || running.driver === request.to);
  const refusal = {
    reason: `${title} makes the files of its runtime and its kubelet itself, and has ${running?.driver ?? configured.driver ?? 'no valid driver'}`,
    hint: advice(request),
  };
  return {
    runtime: row.runtime,
    instance: row.instance,
    files: [],
    reload: false,
    before: [],
    after: [],
    refusals: isRight ? [] : [refusal],
    notes: [],
  };
}

/** The first of some paths that is a file. */
export function firstFile(tree: RootTree, paths: readonly string[]): string | undefined {
  return paths.find((path) => tree.kind(path) === 'file');
}
