import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../src/cpus/measure/histogram.ts';
import { type ProbeClock, wakeUps } from '../../../src/cpus/measure/wake-ups.ts';

/** A clock of which each reading takes 10 ns; sleeps take as long as they should and what comes next of the delays. */
class FakeClock implements ProbeClock {
  at = 0;
  tidied = 0;
  readonly #delays: number[];

  constructor(delays: readonly number[]) {
    this.#delays = [...delays];
  }

  now(): number {
    this.at += 10;
    return this.at;
  }

  sleep(ns: number): void {
    this.at += ns + (this.#delays.shift() ?? 0);
  }

  tidy(): void {
    this.tidied += 1;
  }
}

function measured(delays: readonly number[], count: number) {
  const clock = new FakeClock(delays);
  const late = new Histogram();
  const gap = new Float64Array(2);
  wakeUps(clock, { firstNs: 1000, intervalNs: 1000, count, spinNs: 100 }, late, gap);
  return { clock, gap, late: late.distribution() };
}

describe('the loop of a probe', () => {
  it('counts each deadline once, by how late it was', () => {
    const { late } = measured([0, 50, 0], 3);
    expect(late.count).toBe(3);
    expect([late.minNs, late.maxNs]).toEqual([10, 60]);
  });

  it('counts deadlines that passed while it was late with what they waited', () => {
    const { late } = measured([3500], 5);
    // The first is 3510 late, those behind it 2510, 1510 and 510; the fifth is slept for.
    expect(late.count).toBe(5);
    expect(late.sumNs).toBe(3510 + 2510 + 1510 + 510 + 10);
  });

  it('sleeps again when it is woken before the deadline', () => {
    const { late } = measured([-400, 0], 1);
    expect(late.buckets).toEqual([[10, 1]]);
  });

  it('watches the clock after each wake-up, and knows the largest gap', () => {
    const { gap } = measured([0, 0], 2);
    expect([...gap]).toEqual([10, 200]);
  });

  it('ends with its last deadline though it was late for all of them', () => {
    expect(measured([1e9], 7).late.count).toBe(7);
  });

  it('clears its garbage away now and then', () => {
    expect(measured([], 1000).clock.tidied).toBe(4);
  });
});
