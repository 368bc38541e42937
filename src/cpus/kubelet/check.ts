import { setTimeout as sleep } from 'node:timers/promises';
import type { SystemdLink } from '../../backend/systemd-link.ts';
import type { CheckResult, CheckStep, CheckTable, Step } from '../../change/plan.ts';
import { parseKubeletList } from '../../core/cpu-list.ts';
import { type IndexSet, intersection, isSubset, printIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { describeEnded, PATIENCE, type Patience, settleKubelet, type Watch } from '../../drivers/kubelet/check.ts';
import { watchKubelet } from '../../drivers/kubelet/kubelet.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { type KubeletState, parseState } from './state.ts';

const NAME = 'cpus.kubelet';
/** A kubelet starts its CPU manager some seconds after itself. */
const STATE_ROUNDS = 60;

export interface KubeletExpectation {
  readonly statePath: string;
  readonly reserved: IndexSet;
  readonly isStrict: boolean;
  /** The policy of the state before the change, where there was one. */
  readonly policyBefore: string | undefined;
}

/** The check that the kubelet runs and has a static CPU manager that keeps these CPUs; before, that it runs as it did. */
export function kubeletCheckStep(expectation: KubeletExpectation): Step & CheckStep {
  const { statePath, reserved, isStrict, policyBefore } = expectation;
  const list = printIndexSet(reserved);
  return {
    kind: 'check',
    check: NAME,
    expect: { state: statePath, policy: 'static', reserved: list, strict: isStrict ? 'yes' : 'no' },
    expectBefore: { state: statePath, ...(policyBefore !== undefined && { policy: policyBefore }) },
    purpose: `the kubelet runs, and its static CPU manager keeps CPUs ${list} for the system`,
    purposeBefore: 'the kubelet runs as before',
  };
}

/** What {@link kubeletCheckStep} means on this host. */
export function kubeletChecks(tree: RootTree, link: SystemdLink, patience: Patience = PATIENCE): CheckTable {
  return { [NAME]: (expect) => check(tree, watchKubelet(tree, link), expect, patience) };
}

/** Waits for a kubelet that stays and for the state that it writes, and compares that. It may still end meanwhile. */
export async function check(
  tree: RootTree,
  watch: Pick<Watch, 'look' | 'healthy'>,
  expect: Readonly<Record<string, string>>,
  patience: Patience,
): Promise<CheckResult> {
  const fault = await settleKubelet(watch, patience);
  if (fault !== undefined) return { ok: false, found: fault };
  if (expect.policy === undefined) return { ok: true, found: 'the kubelet runs' };
  let found = '';
  let ended: string | undefined;
  for (let round = 0; round < STATE_ROUNDS; round += 1) {
    const now = describeEnded(await watch.look());
    const state = stateAt(tree, expect.state ?? '');
    const wrong = state === undefined ? 'has written no state of its CPU manager' : differenceOf(state, expect);
    if (now === undefined && wrong === undefined) {
      return { ok: true, found: `the kubelet runs, with the policy ${expect.policy}` };
    }
    ended = now ?? ended;
    found = `the kubelet runs and ${wrong} (${expect.state})`;
    await sleep(patience.pauseMs);
  }
  return { ok: false, found: ended ?? found };
}

function differenceOf(state: KubeletState, { policy, reserved, strict }: Readonly<Record<string, string>>) {
  if (state.policy !== policy) return `has the policy ${state.policy}`;
  if (reserved === undefined) return undefined;
  const kept = parseKubeletList(reserved, 'reserved');
  const shared = intersection(kept, state.shared);
  if (strict === 'yes' && shared.length > 0) return `lets pods share CPUs ${printIndexSet(shared)}, which are reserved`;
  if (strict === 'no' && !isSubset(kept, state.shared)) return `does not keep all of CPUs ${reserved} for the system`;
  return undefined;
}

/** Undefined also where it is just being written. */
function stateAt(tree: RootTree, path: string): KubeletState | undefined {
  try {
    return parseState(tree.text(path), path);
  } catch (error) {
    if (error instanceof SlicectlError) return undefined;
    throw error;
  }
}
