import { expect, it } from 'vitest';
import { watchCpus } from '../../../src/cpus/audit/did-run.ts';
import { parseCounts, readCpuQueues, readCpuTimes } from '../../../src/host/cpu-times.ts';
import { FakeHost } from '../fake-host.ts';
import { type FakeTask, taskFiles } from '../task-files.ts';

it('reads the times of CPUs in milliseconds', () => {
  using host = new FakeHost();
  host.write({ 'proc/stat': 'cpu  1 1 1 1\ncpu0 10 5 3 100 20 1 2 7 0 0\ncpu12 0 0 0 9 0 0 0 0 0 0\nintr 5\n' });
  expect([...readCpuTimes(host.paths)]).toEqual([
    [0, { tasks: 180, interrupts: 30, idle: 1200, steal: 70 }],
    [12, { tasks: 0, interrupts: 0, idle: 90, steal: 0 }],
  ]);
});

it.each([
  [15, 1],
  [16, 1],
  [17, 1],
  [14, undefined],
  [99, undefined],
])("reads what the scheduler counts by the file's version: %i", (version, found) => {
  using host = new FakeHost();
  const row = 'cpu6 0 0 5 1 3 2 4000000 1500000 9\ndomain0 MC 03 1 2 3\n';
  host.write({ 'proc/schedstat': `version ${version}\ntimestamp 1\n${row}` });
  const queues = readCpuQueues(host.paths);
  expect(queues?.size).toBe(found);
  if (found) expect(queues?.get(6)).toEqual({ ranNs: 4_000_000n, waitedNs: 1_500_000n, turns: 9n });
});

it('knows nothing of queues where the kernel does not count', () => {
  using host = new FakeHost();
  expect(readCpuQueues(host.paths)).toBeUndefined();
});

it("reads the CPUs' own counters, and none that is of the whole machine", () => {
  const text = '           CPU0       CPU6\n 24:   1   2  PCI-MSI  x\nLOC:   5   7  Local timer interrupts\nERR:   0\n';
  expect([...parseCounts(text)]).toEqual([
    [
      'LOC',
      new Map([
        [0, 5],
        [6, 7],
      ]),
    ],
  ]);
});

it('finds nothing on a machine on which nothing moves', async () => {
  using host = new FakeHost();
  host.write({
    'proc/stat': 'cpu6 10 0 0 100 0 0 0 0 0 0\n',
    ...taskFiles(5, 5, { allowed: '6-7', cpu: 6 }),
    ...taskFiles(6, 6, { allowed: '0-5', cpu: 0 }),
  });
  const found = await watchCpus(host.paths, [6, 7], 1);
  expect(found.tasks).toEqual([]);
  expect([...found.cpus.keys()]).toEqual([6]);
  expect(found.looks).toBeGreaterThan(0);
});

it('ends at once when it is told to', async () => {
  using host = new FakeHost();
  const found = await watchCpus(host.paths, [6], 3_600_000, AbortSignal.abort());
  expect(found.looks).toBe(1);
});

/** What a window finds of a task that is `before` when it begins and `after` when it ends. */
async function between(before: FakeTask | undefined, after: FakeTask) {
  using host = new FakeHost();
  host.write({ 'proc/stat': '', ...(before && taskFiles(5, 5, before)) });
  const ending = new AbortController();
  const found = watchCpus(host.paths, [6, 7], 3_600_000, ending.signal);
  host.write(taskFiles(5, 5, after));
  ending.abort();
  return (await found).tasks.map(({ task, ranMs, involuntary }) => ({ name: task.name, ranMs, involuntary }));
}

const OLD: FakeTask = { name: 'sh', allowed: '6-7', cpu: 6, startTicks: 100, ranMs: 5000, involuntary: 40 };

it('counts of a task that took another name or program what it ran since, and not its whole life', async () => {
  const after = { ...OLD, name: 'postgres', ranMs: 5020, involuntary: 43 };
  expect(await between(OLD, after)).toEqual([{ name: 'postgres', ranMs: 20, involuntary: 3 }]);
});

it('counts the whole life of a task that came in the window, also under the number of one that ended', async () => {
  const after = { ...OLD, startTicks: 900, ranMs: 30, involuntary: 2 };
  expect(await between(OLD, after)).toEqual([{ name: 'sh', ranMs: 30, involuntary: 2 }]);
  expect(await between(undefined, after)).toEqual([{ name: 'sh', ranMs: 30, involuntary: 2 }]);
});

it('knows of a task that came to the CPUs in the window only that it is there', async () => {
  expect(await between({ ...OLD, allowed: '0-5', cpu: 0 }, { ...OLD, ranMs: 5020 })).toEqual([]);
});
