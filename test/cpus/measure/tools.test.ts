import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cyclictestCommand, parseCyclictest } from '../../../src/cpus/measure/cyclictest.ts';
import { averageNs, countAbove, percentileNs } from '../../../src/cpus/measure/distribution.ts';
import { hasTimerlat, parseRtla, rtlaCommand } from '../../../src/cpus/measure/rtla.ts';
import { FakeHost } from '../fake-host.ts';

// cyclictest 2.40 printed the one on a busy guest; the other is the example in rtla-timerlat-hist(1) of Linux 6.1.
const FIXTURES = join(import.meta.dirname, '../../fixtures/measure');
const CYCLICTEST = readFileSync(join(FIXTURES, 'cyclictest-2.40.txt'), 'utf8');
const RTLA = readFileSync(join(FIXTURES, 'rtla-timerlat-hist.txt'), 'utf8');
const RUN = { cpus: [2, 5], seconds: 30, intervalUs: 1000 };

describe('cyclictest', () => {
  it('is asked for a thread on each CPU, in the normal scheduler unless told, with idle states as they are', () => {
    const command = cyclictestCommand({ ...RUN, priority: undefined });
    expect(command).toContain('--affinity=2,5');
    expect(command).toContain('--threads=2');
    expect(command).toContain('--policy=other');
    expect(command).toContain('--default-system');
    expect(cyclictestCommand({ ...RUN, priority: 80 })).toContain('--priority=80');
  });

  it('tells each thread by the CPU that it was pinned to', () => {
    const [first, second, ...rest] = parseCyclictest(CYCLICTEST, [2, 5]);
    expect([first?.cpu, second?.cpu, rest]).toEqual([2, 5, []]);
    expect([first?.late.minNs, first?.late.maxNs]).toEqual([23_000, 458_999]);
    expect([second?.late.minNs, second?.late.maxNs]).toEqual([19_000, 405_999]);
    expect(averageNs(first?.late ?? { count: 0, minNs: 0, maxNs: 0, sumNs: 0, buckets: [] })).toBeCloseTo(54_000, 0);
  });

  it('counts wake-ups that its histogram was too short for, up to the largest', () => {
    const [first, second] = parseCyclictest(CYCLICTEST, [0, 1]);
    expect(first && countAbove(first.late, 60_000)).toBe(95);
    expect(second && countAbove(second.late, 60_000)).toBe(69);
    for (const thread of [first, second]) {
      expect(thread?.late.buckets.reduce((sum, [, count]) => sum + count, 0)).toBe(thread?.late.count);
    }
  });

  it.each(['', 'unable to get scheduling policy\n', '# Histogram\n000001 000002\n'])('refuses %j', (text) => {
    expect(() => parseCyclictest(text, [0])).toThrow(expect.objectContaining({ code: 'E_SYNTAX' }));
  });

  it('refuses totals of fewer threads than CPUs', () => {
    expect(() => parseCyclictest(CYCLICTEST, [0, 1, 2])).toThrow(/3 threads/);
  });
});

describe('rtla', () => {
  it('is asked for the same period and scheduling as the probe', () => {
    expect(rtlaCommand({ ...RUN, priority: undefined }).join(' ')).toMatch(
      /^rtla timerlat hist -c 2,5 -d 30s -p 1000 -P o:0 /,
    );
    expect(rtlaCommand({ ...RUN, priority: 80 })).toContain('f:80');
  });

  it('tells wake-ups of threads, and not the interrupts that woke them', () => {
    const cpus = parseRtla(RTLA);
    expect(cpus.map(({ cpu }) => cpu)).toEqual([0, 1, 2, 3, 4]);
    const [first] = cpus;
    expect(first?.late).toMatchObject({ count: 600_002, minNs: 1000, maxNs: 36_999 });
    expect(first?.late.buckets[0]).toEqual([1999, 35_487]);
    expect(first && percentileNs(first.late, 500)).toBe(6999);
  });

  it('takes a hyphen for a value that there is not', () => {
    const text = 'Index   IRQ-003   Thr-003\nover:   0   0\ncount:   0   0\nmin:   -   -\navg:   -   -\nmax:   -   -\n';
    expect(parseRtla(text)).toEqual([{ cpu: 3, late: { count: 0, minNs: 0, maxNs: 0, sumNs: 0, buckets: [] } }]);
  });

  it('leaves out the summary over all CPUs that newer ones print', () => {
    const summary = 'ALL:        IRQ       Thr\ncount:   1   1\nmin:   7   7\navg:   7   7\nmax:   7   7\n';
    expect(parseRtla(`${RTLA}${summary}`)).toEqual(parseRtla(RTLA));
  });

  it.each([
    '',
    'Could not find timerlat tracer\n',
    'Index   IRQ-000\ncount: 3\n',
    'Index  Thr-000\n0  1\n',
  ])('refuses %j', (text) => {
    expect(() => parseRtla(text)).toThrow(expect.objectContaining({ code: 'E_SYNTAX' }));
  });

  it.each([
    ['timerlat osnoise hwlat function nop', true],
    ['blk function nop', false],
  ])('is usable with the tracers %j: %j', (tracers, is) => {
    using host = new FakeHost().write({ 'sys/kernel/tracing/available_tracers': `${tracers}\n` });
    expect(hasTimerlat(host.paths)).toBe(is);
  });
});
