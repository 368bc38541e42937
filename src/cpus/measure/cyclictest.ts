import { isRecord } from './saved.ts';
import { badAnswer, bucketsOf, type ToolRun } from './tool.ts';

/** Latencies above this are counted by cyclictest without their size. */
const LARGEST_US = 100_000;

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
    '--json=/dev/stdout',
  ];
}

/**
 * Reads its JSON, which the histogram as text follows. Whole microseconds are rounded down there, so that a bucket ends
 * just below the next one. `E_SYNTAX` for text that is none.
 */
export function parseCyclictest(text: string) {
  // One object, whose last line is its closing brace alone; the text behind it begins with #.
  const end = text.indexOf('\n}');
  let parsed: unknown;
  try {
    parsed = JSON.parse(end === -1 ? text : text.slice(text.indexOf('{'), end + 2));
  } catch (cause) {
    throw badAnswer('cyclictest', 'no JSON', cause);
  }
  if (!isRecord(parsed) || !isRecord(parsed.thread)) throw badAnswer('cyclictest', 'no threads');
  const cpus = Object.values(parsed.thread).map((thread) => {
    if (!isRecord(thread) || !isRecord(thread.histogram)) throw badAnswer('cyclictest', 'a thread without histogram');
    const { cpu, cycles, min, max, avg } = thread;
    const numbers = [cpu, cycles, min, max, avg].map(Number);
    if (!numbers.every(Number.isFinite)) throw badAnswer('cyclictest', 'a thread without numbers');
    const [number = 0, count = 0, least = 0, largest = 0, average = 0] = numbers;
    const histogram = Object.entries(thread.histogram).map(([us, many]) => [Number(us), Number(many)] as const);
    return { cpu: number, late: bucketsOf(histogram, { count, minUs: least, maxUs: largest, averageUs: average }) };
  });
  return { version: typeof parsed.rt_test_version === 'string' ? parsed.rt_test_version : '', cpus };
}
