/**
 * How often each latency came, as plain data. A bucket holds all latencies up to its bound that are above the bound
 * before it; bounds rise. Latencies are whole nanoseconds.
 */
export interface Distribution {
  readonly count: number;
  readonly minNs: number;
  readonly maxNs: number;
  readonly sumNs: number;
  readonly buckets: readonly (readonly [upToNs: number, count: number])[];
}

export const NO_LATENCIES: Distribution = { count: 0, minNs: 0, maxNs: 0, sumNs: 0, buckets: [] };

/** The shares of wake-ups, in tenths of a percent, that are told. */
export const TOLD_PERMILLE = [500, 990, 999] as const;

/** `999` → `p99.9`. */
export function percentileName(permille: number): string {
  return `p${permille / 10}`;
}

/**
 * The latency that so many of a thousand wake-ups do not exceed, by nearest rank; at most a bucket's width too much, and
 * never too little. 0 where nothing was measured.
 */
export function percentileNs({ count, maxNs, buckets }: Distribution, permille: number): number {
  const rank = Math.ceil((count * permille) / 1000);
  let seen = 0;
  for (const [upToNs, many] of buckets) {
    seen += many;
    if (seen >= rank) return Math.min(upToNs, maxNs);
  }
  return maxNs;
}

/** How many came later than the limit; those in the limit's own bucket are not among them. */
export function countAbove({ buckets, maxNs }: Distribution, limitNs: number): number {
  return buckets.reduce((sum, [upToNs, many]) => sum + (Math.min(upToNs, maxNs) > limitNs ? many : 0), 0);
}

export function averageNs({ count, sumNs }: Distribution): number {
  return count === 0 ? 0 : sumNs / count;
}

/** All of them as if one probe had met them. */
export function joined(all: readonly Distribution[]): Distribution {
  const filled = all.filter(({ count }) => count > 0);
  if (filled.length === 0) return NO_LATENCIES;
  const counts = new Map<number, number>();
  for (const { buckets } of filled) {
    for (const [upToNs, many] of buckets) counts.set(upToNs, (counts.get(upToNs) ?? 0) + many);
  }
  const sumOf = (of: (one: Distribution) => number): number => filled.reduce((sum, one) => sum + of(one), 0);
  return {
    count: sumOf(({ count }) => count),
    minNs: Math.min(...filled.map(({ minNs }) => minNs)),
    maxNs: Math.max(...filled.map(({ maxNs }) => maxNs)),
    sumNs: sumOf(({ sumNs }) => sumNs),
    buckets: [...counts].sort(([a], [b]) => a - b),
  };
}
