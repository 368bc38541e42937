import type { IndexSet } from '../../core/cpuset.ts';
import type { MeasuredCpu } from './model.ts';
import { badAnswer, bucketsOf, type ToolRun } from './tool.ts';

/** Latencies above this are counted by cyclictest without their size. */
const LARGEST_US = 20_000;

/**
 * cyclictest as the probe is: one thread a CPU, the same interval, and without its way of forbidding deep idle states,
 * which would hide what the payload meets.
 */
export function cyclictestCommand({ cpus, seconds, priority, intervalUs }: ToolRun): readonly string[] {
  return [
    'cyclictest',
    '--quiet',
    '--mlockall',
    '--default-system',
    `--affinity=${cpus.join(',')}`,
    `--threads=${cpus.length}`,
    `--interval=${intervalUs}`,
    '--distance=0',
    `--duration=${seconds}`,
    `--histogram=${LARGEST_US}`,
    ...(priority === undefined ? ['--policy=other'] : [`--priority=${priority}`]),
  ];
}

/**
 * Reads its histogram as text: a row a microsecond with a column a thread, and rows of totals. JSON goes only to a file
 * that it opens by name, which a pipe is not. Threads are pinned to the CPUs in rising order. Whole microseconds are
 * rounded down there. `E_SYNTAX` for text that is no such histogram.
 */
export function parseCyclictest(text: string, cpus: IndexSet): readonly MeasuredCpu[] {
  const rows = text.split('\n').flatMap((line): (readonly number[])[] => {
    return /^\d+(\s+\d+)+$/.test(line) ? [line.trim().split(/\s+/).map(Number)] : [];
  });
  const totals = (name: string): readonly number[] => {
    const line = new RegExp(`^# ${name}:(( +\\d+)+)`, 'm').exec(text)?.[1];
    const numbers = line?.trim().split(/\s+/).map(Number) ?? [];
    if (numbers.length < cpus.length) throw badAnswer('cyclictest', `${name} of ${cpus.length} threads are not there`);
    return numbers;
  };
  const [counts, least, average, largest, over] = [
    totals('Total'),
    totals('Min Latencies'),
    totals('Avg Latencies'),
    totals('Max Latencies'),
    totals('Histogram Overflows'),
  ];
  return cpus.map((cpu, thread) => {
    const histogram = rows.map(([us = 0, ...counted]) => [us, counted[thread] ?? 0] as const);
    const own = {
      // Its total leaves out what is above the histogram.
      count: (counts[thread] ?? 0) + (over[thread] ?? 0),
      minUs: least[thread] ?? 0,
      maxUs: largest[thread] ?? 0,
      averageUs: average[thread] ?? 0,
    };
    return { cpu, late: bucketsOf(histogram, own) };
  });
}
