import type { Refusal } from '../change/plan.ts';
import type { CgroupDriver, RuntimeName } from './model.ts';
import { differsFrom, type StatusRow, titleOf } from './status.ts';

/**
 * Refuses to change a kubelet without the runtime that it asks, or that runtime without the kubelet, where both have to
 * have one driver: the kubelet would not start. One that takes its driver from the runtime follows by itself.
 */
export function splitPairs(rows: readonly StatusRow[], named: readonly string[], to: CgroupDriver): readonly Refusal[] {
  if (named.length === 0) return [];
  const isNamed = (row: StatusRow): boolean => named.includes(row.runtime);
  return rows
    .filter(({ runtime }) => runtime === 'kubelet')
    .flatMap((kubelet) => {
      const partners = rows.filter(({ runtime }) => isPartner(runtime, kubelet.asks));
      const needsKubelet = kubelet.follows === undefined && !isNamed(kubelet) && differsFrom(kubelet, to);
      const left = [
        ...(needsKubelet && partners.some((row) => isNamed(row)) ? [kubelet] : []),
        ...(isNamed(kubelet) ? partners.filter((row) => !isNamed(row) && differsFrom(row, to)) : []),
      ];
      return left.map((row) => ({
        reason: `${titleOf(row)} would still have another driver, and the kubelet does not start where its runtime has another one`,
        hint: `add --runtime ${row.runtime}, or leave --runtime out`,
      }));
    });
}

/** cri-dockerd says what Docker says. */
function isPartner(runtime: RuntimeName, asks: RuntimeName | undefined): boolean {
  return runtime === asks || (runtime === 'docker' && asks === 'cri-dockerd');
}
