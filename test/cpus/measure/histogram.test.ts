import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  averageNs,
  countAbove,
  joined,
  NO_LATENCIES,
  percentileName,
  percentileNs,
} from '../../../src/cpus/measure/distribution.ts';
import { bucketOf, Histogram, upperNs } from '../../../src/cpus/measure/histogram.ts';

/** From nanoseconds to minutes, all sizes alike. */
const latency = fc
  .tuple(fc.integer({ min: 0, max: 37 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([bits, part]) => Math.floor(2 ** bits * (1 + part)) - 1);
const latencies = fc.array(latency, { minLength: 1, maxLength: 400 });

function distributionOf(values: readonly number[]) {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram.distribution();
}

describe('a histogram of latencies', () => {
  it('has for each latency a bucket that holds it and is at most 1/64 too wide', () => {
    fc.assert(
      fc.property(latency, (ns) => {
        const bucket = bucketOf(ns);
        expect(upperNs(bucket)).toBeGreaterThanOrEqual(ns);
        expect(upperNs(bucket)).toBeLessThanOrEqual(ns + ns / 64);
        if (bucket > 0) expect(upperNs(bucket - 1)).toBeLessThan(ns);
      }),
    );
  });

  it.each([
    127,
    128,
    255,
    256,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 33,
    2 ** 40 - 1,
  ])('has %d where one power of two ends and the next begins', (ns) => {
    expect(bucketOf(ns + 1)).toBeGreaterThanOrEqual(bucketOf(ns));
    expect(upperNs(bucketOf(ns))).toBeGreaterThanOrEqual(ns);
  });

  it('gives percentiles as a sorted array has them, never less and at most 1/64 more', () => {
    fc.assert(
      fc.property(latencies, fc.constantFrom(1, 500, 900, 990, 999, 1000), (values, permille) => {
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.ceil((values.length * permille) / 1000) - 1] ?? 0;
        const told = percentileNs(distributionOf(values), permille);
        expect(told).toBeGreaterThanOrEqual(exact);
        expect(told).toBeLessThanOrEqual(exact + exact / 64);
      }),
    );
  });

  it('knows count, least, largest and average exactly', () => {
    fc.assert(
      fc.property(latencies, (values) => {
        const distribution = distributionOf(values);
        expect(distribution.count).toBe(values.length);
        expect(distribution.minNs).toBe(Math.min(...values));
        expect(distribution.maxNs).toBe(Math.max(...values));
        expect(averageNs(distribution)).toBeCloseTo(values.reduce((sum, one) => sum + one, 0) / values.length, 3);
      }),
    );
  });

  it('joins what two probes met as if one had met it', () => {
    fc.assert(
      fc.property(latencies, latencies, (a, b) => {
        const together = joined([distributionOf(a), NO_LATENCIES, distributionOf(b)]);
        expect(together).toEqual(distributionOf([...a, ...b]));
      }),
    );
  });

  it('counts what is above a limit, and not what is at it', () => {
    const distribution = distributionOf([5, 100, 100, 101, 7000]);
    expect(countAbove(distribution, 100)).toBe(2);
    expect(countAbove(distribution, 7000)).toBe(0);
    expect(countAbove(NO_LATENCIES, 0)).toBe(0);
  });

  it('takes a wake-up before its deadline for one in time, and what is beyond all buckets into the last', () => {
    const distribution = distributionOf([-3, 3e12]);
    expect([distribution.minNs, distribution.maxNs, percentileNs(distribution, 1000)]).toEqual([0, 3e12, 3e12]);
  });

  it('is empty again after it was cleared', () => {
    const histogram = new Histogram();
    histogram.add(7);
    histogram.clear();
    expect(histogram.distribution()).toEqual(NO_LATENCIES);
    expect(percentileNs(NO_LATENCIES, 999)).toBe(0);
    expect(averageNs(NO_LATENCIES)).toBe(0);
  });

  it('names percentiles as people do', () => {
    expect([500, 990, 999].map(percentileName)).toEqual(['p50', 'p99', 'p99.9']);
  });
});
