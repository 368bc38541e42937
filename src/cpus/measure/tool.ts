import type { IndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import type { Distribution } from './distribution.ts';

/** What another measuring program is asked. */
export interface ToolRun {
  readonly cpus: IndexSet;
  readonly seconds: number;
  readonly intervalUs: number;
  /** Of SCHED_FIFO; undefined for the normal scheduler. */
  readonly priority: number | undefined;
}

export interface ToolTotals {
  readonly count: number;
  readonly minUs: number;
  readonly maxUs: number;
  readonly averageUs: number;
}

/**
 * A distribution of counts by whole microseconds, rounded down. What is not in the histogram, since it was larger than
 * that goes, is in a bucket up to the largest one.
 */
export function bucketsOf(
  histogram: readonly (readonly [us: number, count: number])[],
  { count, minUs, maxUs, averageUs }: ToolTotals,
): Distribution {
  const filled = histogram.filter(([, many]) => many > 0).toSorted(([a], [b]) => a - b);
  const counted = filled.reduce((sum, [, many]) => sum + many, 0);
  const total = Math.max(count, counted);
  const maxNs = maxUs * 1000 + 999;
  const buckets = filled.map(([us, many]) => [us * 1000 + 999, many] as const);
  return {
    count: total,
    minNs: minUs * 1000,
    maxNs: total === 0 ? 0 : maxNs,
    sumNs: averageUs * 1000 * total,
    buckets: total > counted ? [...buckets, [maxNs, total - counted]] : buckets,
  };
}

export function badAnswer(tool: string, why: string, cause?: unknown): SlicectlError {
  return new SlicectlError('E_SYNTAX', `what ${tool} printed cannot be read: ${why}`, {
    hint: `run ${tool} by hand`,
    cause,
  });
}
