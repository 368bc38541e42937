import type { PlanNote, Refusal } from '../change/plan.ts';
import type { CgroupDriver, DriverHost } from './model.ts';
import type { Instance } from './runtimes.ts';
import { differsFrom, titleOf } from './status.ts';

/** What the user who asks may change, and what is said of the rest. */
export interface Reach {
  readonly instances: readonly Instance[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

/**
 * On a live host users other than root change what is theirs: rootless Docker and their podman. What is root's is a
 * refusal, except where the user named a runtime and has one of that kind.
 */
export function withinReach(
  { live, self }: DriverHost,
  instances: readonly Instance[],
  named: readonly string[],
  to: CgroupDriver,
): Reach {
  if (live === undefined || self.uid === 0) return { instances, refusals: [], notes: [] };
  const isOwn = ({ rows }: Instance): boolean => rows.some(({ user }) => user !== undefined);
  const own = instances.filter(isOwn);
  const roots = instances.filter((each) => !isOwn(each) && each.rows.some((row) => differsFrom(row, to)));
  const isMeant = ({ runtime }: Instance): boolean =>
    !named.includes(runtime) || !own.some((each) => each.runtime === runtime);
  const refused = roots.filter(isMeant);
  const mine = [...new Set(own.map(({ runtime }) => `--runtime ${runtime}`))].join(' ');
  return {
    instances: own,
    refusals:
      refused.length === 0
        ? []
        : [
            {
              reason: `${titles(refused)} can be changed by root alone`,
              hint:
                mine === '' || named.length > 0
                  ? 'run it as root'
                  : `run it as root, or change what is yours with ${mine}`,
            },
          ],
    notes: roots
      .filter((each) => !isMeant(each))
      .map((each) => ({ severity: 'info', text: `${titles([each])} of the system is left as it is: it is root's` })),
  };
}

function titles(instances: readonly Instance[]): string {
  return [...new Set(instances.flatMap(({ rows }) => rows.map(titleOf)))].join(', ');
}
