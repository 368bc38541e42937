import type { Distribution } from './distribution.ts';

/** Steps of each power of two: a bucket is at most 1/64 of its value wide. */
const STEP_BITS = 6;
const STEPS = 1 << STEP_BITS;
/** Below this each nanosecond has a bucket. */
const EXACT = STEPS * 2;
/** The last bucket ends at 2^40 ns, which is 18 minutes. */
const MOST_BITS = 40;
const BUCKETS = EXACT + (MOST_BITS - STEP_BITS - 1) * STEPS;

/** The bucket of a latency in whole nanoseconds from 0 on; all that is too large is in the last one. */
export function bucketOf(ns: number): number {
  if (ns < EXACT) return ns;
  // Math.log2 rounds up just below a power of two, clz32 is exact and sees 32 bits.
  const high = Math.floor(ns / 0x1_0000_0000);
  const bits = high === 0 ? 31 - Math.clz32(ns) : 63 - Math.clz32(high);
  const shift = bits - STEP_BITS;
  return Math.min(EXACT + (shift - 1) * STEPS + Math.floor(ns / 2 ** shift) - STEPS, BUCKETS - 1);
}

/** The largest latency that belongs into the bucket. */
export function upperNs(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const shift = Math.floor((bucket - EXACT) / STEPS) + 1;
  return (((bucket - EXACT) % STEPS) + STEPS + 1) * 2 ** shift - 1;
}

/** Counts latencies in memory of a fixed size that is touched before the first one: adding one leaves no garbage. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS).fill(0);
  /** Count, least, largest and sum, in an array so that no number is boxed. */
  readonly #totals = new Float64Array([0, Number.POSITIVE_INFINITY, 0, 0]);

  /** Takes whole nanoseconds; a latency below 0, which rounding of the sleep makes, counts as 0. */
  add(ns: number): void {
    const value = ns < 0 ? 0 : ns;
    const bucket = bucketOf(value);
    const totals = this.#totals;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    totals[0] = (totals[0] as number) + 1;
    if (value < (totals[1] as number)) totals[1] = value;
    if (value > (totals[2] as number)) totals[2] = value;
    totals[3] = (totals[3] as number) + value;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#totals.set([0, Number.POSITIVE_INFINITY, 0, 0]);
  }

  distribution(): Distribution {
    const [count = 0, minNs = 0, maxNs = 0, sumNs = 0] = this.#totals;
    const buckets: [number, number][] = [];
    this.#counts.forEach((many, bucket) => {
      if (many > 0) buckets.push([bucket === BUCKETS - 1 ? Math.max(maxNs, upperNs(bucket)) : upperNs(bucket), many]);
    });
    return { count, minNs: count === 0 ? 0 : minNs, maxNs, sumNs, buckets };
  }
}
