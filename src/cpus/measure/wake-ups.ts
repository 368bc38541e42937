import type { Histogram } from './histogram.ts';

/** The time of a probe, in nanoseconds from some moment on. */
export interface ProbeClock {
  now(): number;
  /** Gives the CPU away for about so long; may come back early. */
  sleep(ns: number): void;
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

/**
 * Sleeps until each deadline and counts how late it is then. A deadline that passes while the probe is late counts with
 * what it waited, else one long delay would hide the many short ones behind it. No object is made on the way.
 */
export function wakeUps(clock: ProbeClock, deadlines: Deadlines, late: Histogram, gap: Gap): void {
  const { intervalNs, spinNs } = deadlines;
  let next = deadlines.firstNs;
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
  }
}

function watch(clock: ProbeClock, from: number, spinNs: number, gap: Gap): void {
  let last = from;
  while (last - from < spinNs) {
    const now = clock.now();
    if (now - last > (gap[0] as number)) gap[0] = now - last;
    last = now;
  }
  gap[1] = (gap[1] as number) + (last - from);
}
