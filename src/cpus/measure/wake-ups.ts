import type { Histogram } from './histogram.ts';

/** The time of a probe, in nanoseconds from some moment on. */
export interface ProbeClock {
  now(): number;
  /** Gives the CPU away for about so long; may come back early. */
  sleep(ns: number): void;
  /** Clears away the garbage that reading the clock leaves, at a moment when nothing is measured. */
  tidy(): void;
}

export interface Deadlines {
  readonly firstNs: number;
  readonly intervalNs: number;
  readonly count: number;
  /** How long the clock is read again and again after each wake-up. */
  readonly spinNs: number;
}

/** The largest gap, and the time that was watched: an array, so that no number is boxed. */
export type Gap = Float64Array;

/** A quarter of a second's garbage, about 3 MB, is cleared away in a fraction of the interval. */
const ROUNDS_PER_TIDY = 250;

/**
 * Sleeps until each deadline and counts how late it is then. A deadline that passes while the probe is late counts with
 * what it waited, else one long delay would hide the many short ones behind it.
 */
export function wakeUps(clock: ProbeClock, deadlines: Deadlines, late: Histogram, gap: Gap): void {
  const { intervalNs, spinNs } = deadlines;
  let next = deadlines.firstNs;
  let rounds = 0;
  for (let left = deadlines.count; left > 0; ) {
    let now = clock.now();
    while (now < next) {
      clock.sleep(next - now);
      now = clock.now();
    }
    for (; left > 0 && next <= now; left -= 1) {
      late.add(now - next);
      next += intervalNs;
    }
    watch(clock, now, spinNs, gap);
    rounds += 1;
    if (rounds % ROUNDS_PER_TIDY === 0) clock.tidy();
  }
}

function watch(clock: ProbeClock, from: number, spinNs: number, gap: Gap): void {
  let largest = gap[0] as number;
  let last = from;
  while (last - from < spinNs) {
    const now = clock.now();
    if (now - last > largest) largest = now - last;
    last = now;
  }
  gap[0] = largest;
  gap[1] = (gap[1] as number) + (last - from);
}
