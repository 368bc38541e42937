import { once } from 'node:events';
import { constants, PerformanceObserver, performance } from 'node:perf_hooks';
import process, { hrtime } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProbePlan, warmProbe } from '../cpus/measure/probe.ts';
import type { ProbeClock } from '../cpus/measure/wake-ups.ts';
import { HOST } from '../host/paths.ts';
import { print } from './output.ts';

// A process of its own, since it is pinned to one CPU and blocks its only thread. Its argument is a ProbePlan as JSON. It
// prints `ready`, waits for a line, measures, and prints a ProbeResult as JSON.

/** Seconds that are left out, so that nanoseconds stay exact for longer than 2^53 of them. */
const [BASE] = hrtime();
const cell = new Int32Array(new SharedArrayBuffer(4));
const clock: ProbeClock = {
  now: () => {
    const time = hrtime();
    return ((time[0] as number) - BASE) * 1e9 + (time[1] as number);
  },
  sleep: (ns) => {
    Atomics.wait(cell, 0, 0, ns / 1e6);
  },
  tidy: () => gc({ type: 'minor' }),
};

/** By --expose-gc. */
declare function gc(options: { readonly type: 'minor' }): void;
/** NODE_PERFORMANCE_GC_FLAGS_FORCED: a collection that was asked for, between two measured times. */
const FORCED = constants.NODE_PERFORMANCE_GC_FLAGS_FORCED;

/** Node reports collections only after the loop has ended. */
const REPORT_MS = 50;

const plan = JSON.parse(process.argv[2] ?? '') as ProbePlan;
const collected: number[] = [];
new PerformanceObserver((list) => {
  const unasked = list.getEntries().filter(({ detail }) => ((detail as { flags: number }).flags & FORCED) === 0);
  collected.push(...unasked.map(({ startTime }) => startTime));
}).observe({ entryTypes: ['gc'] });

const probe = warmProbe(HOST, clock, plan);
print('ready\n');
// slicectl closes the pipe where it gives up.
const isAsked = await Promise.race([
  once(process.stdin, 'data').then(() => true),
  once(process.stdin, 'end').then(() => false),
]);
process.stdin.destroy();
if (isAsked) {
  const start = performance.now();
  const finding = probe.run();
  await sleep(REPORT_MS);
  print(`${JSON.stringify({ ...finding, collections: collected.filter((at) => at >= start).length })}\n`);
}
