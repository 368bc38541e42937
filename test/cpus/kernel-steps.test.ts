import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeStep } from '../../src/change/describe.ts';
import { isSubset } from '../../src/core/cpuset.ts';
import type { ReservationRecord } from '../../src/cpus/model.ts';
import { wantedFor } from '../../src/cpus/want.ts';
import { recordOf, set } from './ground.ts';
import { KernelHost, type Sets } from './kernel-ground.ts';

const ALL_KINDS = { interrupts: true, workqueues: true, kernelThreads: true };

/** As it is on a machine of two nodes, with two settings of an administrator. */
const BEFORE: Sets = {
  default: set('0-7'),
  'irq 24': set('0-7'),
  'irq 25': set('4-7'),
  'irq 26': set('2-5'),
  'irq 27': set('1'),
  cpumask: set('0-6'),
  writeback: set('0-7'),
  'thread 2': set('0-7'),
  'thread 30': set('0-3'),
  'thread 31': set('4-7'),
};

const A = recordOf('a.slice', '4-7', ALL_KINDS);
const B = recordOf('b.slice', '2-3', ALL_KINDS);

describe('what no group rules', () => {
  it('is kept on what is left of its own CPUs, or on the system CPUs', () => {
    const host = new KernelHost(BEFORE).to([A]);
    expect(host.sets()).toEqual({
      default: set('0-3'),
      'irq 24': set('0-3'),
      'irq 25': set('0-3'),
      'irq 26': set('2-3'),
      'irq 27': set('1'),
      cpumask: set('0-3'),
      writeback: set('0-3'),
      'thread 2': set('0-3'),
      'thread 30': set('0-3'),
      'thread 31': set('0-3'),
    });
  });

  it('gets back just what it had, also what had the system CPUs by itself', () => {
    expect(new KernelHost(BEFORE).to([A]).to([]).sets()).toEqual(BEFORE);
  });

  it('follows the reservations that remain, from what it had', () => {
    const host = new KernelHost(BEFORE).to([A]).to([A, B]);
    expect(host.sets()).toMatchObject({ 'irq 26': set('0-1'), 'thread 30': set('0-1'), 'thread 31': set('0-1') });
    host.to([B]);
    expect(host.sets()).toMatchObject({ 'irq 26': set('4-5'), 'thread 30': set('0-1'), 'thread 31': set('4-7') });
    expect(host.to([]).sets()).toEqual(BEFORE);
  });

  it('is given back by kind, when a reservation asks for less', () => {
    const host = new KernelHost(BEFORE).to([A]).to([recordOf('a.slice', '4-7', { workqueues: true })]);
    expect(host.sets()).toEqual({ ...BEFORE, cpumask: set('0-3'), writeback: set('0-3') });
    expect(host.facts.kernelBefore).toMatchObject({ interrupts: [], kernelThreads: [] });
    expect(host.to([]).sets()).toEqual(BEFORE);
  });

  it('is left where somebody put it since, within the system CPUs', () => {
    const since = { 'irq 24': set('2'), 'thread 31': set('1') };
    const host = new KernelHost(BEFORE).to([A]).write(since);
    expect(host.stepsTo([A])).toEqual([]);
    expect(host.to([]).sets()).toEqual({ ...BEFORE, ...since });
  });

  it('gets back what somebody gave it since, where another reservation took that', () => {
    const host = new KernelHost(BEFORE)
      .to([A])
      .write({ 'irq 24': set('2') })
      .to([A, B]);
    expect(host.sets()['irq 24']).toEqual(set('0-1'));
    expect(host.to([A]).sets()['irq 24']).toEqual(set('2'));
  });

  it('gets back what it had first, also where somebody moved it back meanwhile', () => {
    const host = new KernelHost(BEFORE).to([A]).write({ 'irq 26': set('0-7'), 'thread 2': set('4') });
    expect(host.to([A]).sets()).toMatchObject({ 'irq 26': set('2-3'), 'thread 2': set('0-3') });
    expect(host.to([]).sets()).toEqual(BEFORE);
  });

  it('gets all CPUs where it came since and has the set of all others', () => {
    const host = new KernelHost(BEFORE)
      .to([A])
      .write({ 'irq 40': set('0-3') })
      .to([]);
    expect(host.sets()['irq 40']).toEqual(set('0-7'));
  });

  it('gets what new lines get without a reservation, where it is a line that came since', () => {
    const host = new KernelHost({ ...BEFORE, default: set('2-6') })
      .to([A])
      .write({ 'irq 40': set('2-3') })
      .to([]);
    expect(host.sets()['irq 40']).toEqual(set('2-6'));
  });

  it('gets nothing of another line that had its number', () => {
    const host = new KernelHost(BEFORE).to([A]);
    const { interrupts } = host.facts;
    const lines = interrupts.lines.map((line) => (line.number === 25 ? { ...line, source: 'PCI 99-edge' } : line));
    host.facts = { ...host.facts, interrupts: { ...interrupts, lines } };
    expect(host.to([]).sets()['irq 25']).toEqual(set('0-7'));
  });

  it('is given back also where the driver of a line has let go of it', () => {
    const host = new KernelHost(BEFORE).to([A]);
    const { interrupts } = host.facts;
    const lines = interrupts.lines.map((line) => (line.number === 25 ? { ...line, name: '', source: '' } : line));
    host.facts = { ...host.facts, interrupts: { ...interrupts, lines } };
    expect(host.to([]).sets()['irq 25']).toEqual(set('4-7'));
  });

  it('gets all CPUs where none of those that it had is online any more', () => {
    const host = new KernelHost(BEFORE).to([A]);
    host.facts = { ...host.facts, topology: { ...host.facts.topology, online: set('0-3') } };
    expect(host.to([]).sets()).toMatchObject({ 'irq 25': set('0-7'), 'irq 26': set('2-5') });
  });

  it('is written down before it is moved, and forgotten after it was given back', () => {
    const host = new KernelHost(BEFORE);
    const words = (records: readonly ReservationRecord[]) => host.stepsTo(records).map(describeStep);
    expect(words([A])).toEqual([
      'write down which CPUs the kernel gave to what is moved',
      'keep device interrupts on system CPUs 0-3, new ones',
      'keep device interrupts on system CPUs 0-3',
      "keep the kernel's workers on system CPUs 0-3",
      'move 2 kernel threads that can be moved to CPUs 0-3',
    ]);
    host.to([A]);
    expect(words([A])).toEqual([]);
    expect(words([])).toEqual([
      'give device interrupts back the CPUs they had, new ones',
      'give device interrupts back the CPUs they had',
      "give the kernel's workers back the CPUs they had",
      'give 2 kernel threads back the CPUs they had',
      'forget which CPUs the kernel gave to what was moved',
    ]);
    expect(host.to([]).stepsTo([])).toEqual([]);
  });

  it('is said of the threads that do not get what the others get', () => {
    const host = new KernelHost(BEFORE).to([A]);
    expect(host.stepsTo([])).toContainEqual(
      expect.objectContaining({ action: 'cpus.threads', details: ['31 thread31: 0-3 → 4-7'] }),
    );
  });

  it('is written down anew from the values of another boot', () => {
    const host = new KernelHost({ ...BEFORE, 'irq 25': set('5') });
    host.facts = { ...host.facts, records: [A] };
    expect(host.to([A]).sets()).toMatchObject({ 'irq 24': set('0-3'), 'irq 25': set('0-3') });
    expect(host.to([]).sets()).toEqual({ ...BEFORE, 'irq 25': set('5') });
  });

  it('is not taken for its own choice where a record was removed by hand and made again', () => {
    const host = new KernelHost(BEFORE).to([A]);
    host.facts = { ...host.facts, records: [] };
    expect(host.stepsTo([])).toEqual([]);
    expect(host.to([A]).to([]).sets()).toEqual(BEFORE);
  });
});

describe('a line that the kernel did not move when it was told to', () => {
  const unmoved = [{ line: 25, of: 'PCI 25-edge', to: set('0-3'), errno: 'ENOSPC' }];
  const noted = (host: KernelHost): KernelHost => {
    host.facts = { ...host.facts, unmoved };
    return host;
  };
  const paths = (host: KernelHost, records: readonly ReservationRecord[]): string =>
    JSON.stringify(host.stepsTo(records).map((step) => (step.kind === 'action' ? step.parameters : {})));

  it('is left where it is, and nothing is planned for it again', () => {
    const host = noted(new KernelHost(BEFORE));
    expect(paths(host, [A])).not.toContain('/irq/25/');
    expect(host.to([A]).sets()).toMatchObject({ 'irq 24': set('0-3'), 'irq 25': set('4-7') });
    expect(host.stepsTo([A])).toEqual([]);
    expect(host.to([]).sets()).toEqual(BEFORE);
  });

  it('is planned no more where it was to be remembered when it was tried', () => {
    const host = new KernelHost(BEFORE).to([A]).write({ 'irq 25': set('4-7') });
    expect(paths(host, [A])).toContain('/irq/25/');
    expect(noted(host).stepsTo([A])).toEqual([]);
    expect(host.to([]).sets()).toEqual(BEFORE);
  });

  it('is told to come where it is to be now, and so is another one that has its number', () => {
    expect(paths(noted(new KernelHost(BEFORE)), [recordOf('a.slice', '5-7', ALL_KINDS)])).toContain('/irq/25/');
    const host = noted(new KernelHost(BEFORE));
    const { interrupts } = host.facts;
    const lines = interrupts.lines.map((line) => (line.number === 25 ? { ...line, source: 'PCI 99-edge' } : line));
    host.facts = { ...host.facts, interrupts: { ...interrupts, lines } };
    expect(paths(host, [A])).toContain('/irq/25/');
  });
});

describe('any settings and reservations', () => {
  const cpus = fc.subarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 1 });
  const names = ['default', 'irq 24', 'irq 25', 'irq 26', 'cpumask', 'writeback', 'thread 2', 'thread 30', 'thread 31'];
  const settings = fc.record(Object.fromEntries(names.map((name) => [name, fc.oneof(fc.constant(set('0-7')), cpus)])));
  const kinds = fc.record({ interrupts: fc.boolean(), workqueues: fc.boolean(), kernelThreads: fc.boolean() });
  // CPU 0 stays the system's.
  const record = (name: string) =>
    fc
      .tuple(fc.subarray([1, 2, 3, 4, 5, 6, 7], { minLength: 1, maxLength: 4 }), kinds)
      .map(([own, more]) => ({ ...recordOf(name, '7', more), cpus: own }));
  const orders = fc.array(fc.subarray(['a.slice', 'b.slice', 'c.slice']), { maxLength: 6 });

  const outside = (host: KernelHost): string[] => {
    const wanted = wantedFor(host.facts, host.facts.records);
    return Object.entries(host.sets()).flatMap(([name, now]) => {
      const open = name.startsWith('thread')
        ? wanted.kernelThreads
        : ['cpumask', 'writeback'].includes(name)
          ? wanted.workqueues
          : wanted.interrupts;
      return open === undefined || isSubset(now, open) ? [] : [name];
    });
  };

  it('hold meanwhile, need nothing twice, and are just what they were when all is released', () => {
    fc.assert(
      fc.property(
        settings,
        fc.boolean(),
        record('a.slice'),
        record('b.slice'),
        record('c.slice'),
        orders,
        (before, isBoot, a, b, c, order) => {
          const host = new KernelHost(before);
          if (isBoot) host.facts = { ...host.facts, records: [a] };
          if (isBoot) host.to([a]);
          for (const some of order) {
            host.to([a, b, c].filter(({ name }) => some.includes(name)));
            expect(outside(host)).toEqual([]);
            expect(host.stepsTo(host.facts.records)).toEqual([]);
          }
          host.to([]);
          expect(host.sets()).toEqual(before);
          expect(host.stepsTo([])).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
