import { describe, expect, it } from 'vitest';
import { kernelFindings } from '../../../src/cpus/audit/kernel.ts';
import type { Interrupt } from '../../../src/host/interrupts.ts';
import { ALL, DB, SYSTEM, task, type ViewChange, viewWith } from './ground.ts';

const kinds = (change: ViewChange): string[] =>
  kernelFindings(viewWith(change), undefined).map(({ severity, kind }) => `${severity} ${kind}`);

const line = (number: number, affinity: readonly number[]): Interrupt => ({
  number,
  name: `nvme0q${number}`,
  source: 'PCI-MSI',
  counts: new Map(),
  affinity,
  effective: affinity,
});
const interrupts = { lines: [line(1, SYSTEM), line(2, [6]), line(3, [7])], defaultAffinity: SYSTEM };
const workqueues = (cpumask: readonly number[]) => ({ cpumask, isolated: [], requested: undefined, queues: [] });

describe("the kernel's own work on payload CPUs", () => {
  it('is told and is no fault where the reservation does not ask for more', () => {
    const tasks = [task('/', ALL, { kind: 'movable' }), task('/', [6], { kind: 'per-cpu' })];
    expect(kinds({ tasks, facts: { interrupts, workqueues: workqueues(ALL) } })).toEqual([
      'info kernel-threads-movable',
      'unmovable kernel-threads-per-cpu',
      'info workqueues-wide',
      'info interrupts-wide',
    ]);
  });

  it('is a breach where it does', () => {
    const change: ViewChange = {
      records: [{ ...DB, interrupts: true, workqueues: true, kernelThreads: true }],
      tasks: [task('/', ALL, { kind: 'movable' }), task('/', ALL, { kind: 'fixed' })],
      facts: { interrupts: { ...interrupts, defaultAffinity: ALL }, workqueues: workqueues(ALL) },
      wanted: { interrupts: SYSTEM, workqueues: SYSTEM, kernelThreads: SYSTEM },
      traces: { managed: new Set([3]) },
    };
    expect(kinds(change)).toEqual([
      'breach kernel-threads-movable',
      'unmovable kernel-threads-fixed',
      'breach workqueues-wide',
      'breach interrupts-moved-back',
      'unmovable interrupts-managed',
      'drift interrupts-default',
    ]);
  });

  it('is no breach where interrupts were told to move and did not, or nobody was told whether they can', () => {
    const unmoved = [{ line: 2, of: 'PCI-MSI', to: SYSTEM, errno: 'ENOSPC' }];
    const change: ViewChange = {
      records: [{ ...DB, interrupts: true }],
      facts: { interrupts, movability: new Map([[3, 'unknown']]), unmoved, records: [{ ...DB, interrupts: true }] },
      wanted: { interrupts: SYSTEM },
    };
    expect(kinds(change)).toEqual(['unmovable interrupts-unmoved', 'info interrupts-unknown']);
    const [first] = kernelFindings(viewWith(change), undefined);
    expect(first).toMatchObject({ subject: '2 (nvme0q2)', cause: expect.stringMatching(/^ENOSPC: /) });
  });

  it('is a breach where interrupts were told to move somewhere else than they are to be now', () => {
    const unmoved = [{ line: 2, of: 'PCI-MSI', to: [0, 1], errno: 'ENOSPC' }];
    const lines = [line(2, [6])];
    const change: ViewChange = {
      facts: { interrupts: { ...interrupts, lines }, movability: new Map([[2, 'moves']]), unmoved },
      wanted: { interrupts: SYSTEM },
    };
    expect(kinds(change)).toEqual(['breach interrupts-moved-back']);
  });

  it('is nothing where it was moved', () => {
    const change: ViewChange = {
      facts: { interrupts: { lines: [line(1, SYSTEM)], defaultAffinity: SYSTEM }, workqueues: workqueues(SYSTEM) },
      wanted: { interrupts: SYSTEM, workqueues: SYSTEM, kernelThreads: SYSTEM },
    };
    expect(kinds(change)).toEqual([]);
  });

  it.each([
    ['knows nothing of them', [], [], ['drift irqbalance-free']],
    ['was told by others', [6, 7], [], []],
    ['is told by us', [], [{ path: '/etc/slicectl/irqbalance.env', text: 'X=6-7\n', purpose: '' }], []],
  ])('an irqbalance that runs and %s', (_, banned, files, expected) => {
    const change: ViewChange = {
      records: [{ ...DB, interrupts: true }],
      facts: { irqbalance: { isRunning: true, banned } },
      wanted: { interrupts: SYSTEM, files },
    };
    expect(kinds(change)).toEqual(expected);
  });

  it('is not looked at without a reservation', () => {
    expect(kinds({ records: [], tasks: [task('/', ALL, { kind: 'movable' })] })).toEqual([]);
  });
});
