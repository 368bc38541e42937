import type { ActionTable } from '../../change/plan.ts';
import { beforeAction } from './before.ts';
import { cureAction } from './cure.ts';
import { groupAction } from './groups.ts';
import type { HoldHost } from './host.ts';
import { isolatedAction } from './isolated.ts';
import { kernelAction } from './kernel.ts';
import { laterAction } from './later.ts';
import { partitionAction } from './partition.ts';
import { threadsAction } from './threads.ts';
import { unitAction } from './units.ts';
import { unleakAction } from './unleak.ts';

export { cpuChecks } from './checks.ts';

/** What the actions of plans about CPUs mean on this host, with the parameters of parameters.ts. Each proves what it did. */
export function cpuActions(host: HoldHost): ActionTable {
  return {
    'cpus.unit': unitAction(host),
    'cpus.later': laterAction(host),
    'cpus.group': groupAction(host),
    'cpus.partition': partitionAction(host),
    'cpus.before': beforeAction(host),
    'cpus.kernel': kernelAction(host),
    'cpus.threads': threadsAction(host),
    'cpus.cure': cureAction(host),
    'cpus.isolated': isolatedAction(host),
    'cpus.unleak': unleakAction(host),
  };
}
