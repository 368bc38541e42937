import type { Action, ActionTable, CheckTable } from '../../change/plan.ts';
import { SlicectlError } from '../../core/errors.ts';
import type { HoldHost } from './host.ts';

/**
 * What the actions of plans about CPUs mean on this host: `cpus.unit`, `cpus.later`, `cpus.group`, `cpus.partition`,
 * `cpus.kernel`, `cpus.threads` and `cpus.cure`, with the parameters of parameters.ts. Each proves what it did.
 */
export function cpuActions(_host: HoldHost): ActionTable {
  const pending: Action = {
    assertAsPlanned: async () => undefined,
    facts: async () => ({}),
    carryOut: async () => {
      throw new SlicectlError('E_NOT_IN_FORCE', 'not there yet');
    },
    takeBack: async () => undefined,
  };
  return {
    'cpus.unit': pending,
    'cpus.later': pending,
    'cpus.group': pending,
    'cpus.partition': pending,
    'cpus.kernel': pending,
    'cpus.threads': pending,
    'cpus.cure': pending,
  };
}

/** What the checks of such plans mean: `cpus.held` and `cpus.wide`. */
export function cpuChecks(_host: HoldHost): CheckTable {
  const pending = async () => ({ ok: false, found: 'not there yet' });
  return { 'cpus.held': pending, 'cpus.wide': pending };
}
