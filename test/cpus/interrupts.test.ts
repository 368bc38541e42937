import { chmodSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  interruptLoad,
  movabilityOf,
  parseInterrupts,
  readBannedCpus,
  readInterrupts,
  readMovability,
  readWorkqueues,
} from '../../src/host/interrupts.ts';
import { FakeHost } from './fake-host.ts';

// Rows as x86 (6.12, 6.18), arm64 and a kernel with an offline CPU 2 print them.
const TEXT = `           CPU0       CPU1       CPU3
  0:        125          0          0  IO-APIC    2-edge      timer
  9:          0          7          0  IO-APIC   9-fasteoi   acpi
 24:          0         14          0 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 25:          0          0   99999999 PCI-MSI 524288-edge      nvme0q0, nvme0q1
 27:      12345          0          0     GICv3  27 Level     arch_timer
 31:          0          0          3 PCI-MSIX-0000:00:01.0   3-edge
LOC:    3115657    3122949         12   Local timer interrupts
ERR:          0
`;

describe('/proc/interrupts', () => {
  const lines = parseInterrupts(TEXT);

  it('has a row for each line of a device and none for what CPUs do among themselves', () => {
    expect([...lines.keys()]).toEqual([0, 9, 24, 25, 27, 31]);
  });

  it.each([
    [0, 'timer', 'IO-APIC 2-edge'],
    [9, 'acpi', 'IO-APIC 9-fasteoi'],
    [24, 'virtio1-req.0', 'PCI-MSIX-0000:00:02.0 1-edge'],
    [25, 'nvme0q0, nvme0q1', 'PCI-MSI 524288-edge'],
    [27, 'arch_timer', 'GICv3 27 Level'],
    [31, '', 'PCI-MSIX-0000:00:01.0 3-edge'],
  ])('names line %i %j', (number, name, source) => {
    expect(lines.get(number)).toMatchObject({ name, source });
  });

  it('counts for the CPUs that the head names', () => {
    expect(lines.get(25)?.counts).toEqual(new Map([[3, 99_999_999]]));
  });
});

describe('the interrupts of a host', () => {
  it('are counted and placed, and those without a counter are there too', () => {
    using host = new FakeHost();
    host.write({
      'proc/interrupts': TEXT,
      'proc/irq/default_smp_affinity': 'f\n',
      'proc/irq/24/smp_affinity_list': '0-3\n',
      'proc/irq/24/effective_affinity_list': '1\n',
      'proc/irq/40/smp_affinity_list': '2\n',
    });
    const interrupts = readInterrupts(host.paths, 3);
    expect(interrupts.defaultAffinity).toEqual([0, 1, 2, 3]);
    expect(interrupts.lines.map(({ number }) => number)).toEqual([0, 9, 24, 25, 27, 31, 40]);
    expect(interrupts.lines[2]).toMatchObject({ affinity: [0, 1, 2, 3], effective: [1] });
    expect(interrupts.lines[6]).toMatchObject({ name: '', affinity: [2], effective: undefined });
    expect(interruptLoad(interrupts)).toEqual(
      new Map([
        [0, 125 + 12_345],
        [1, 7 + 14],
        [3, 99_999_999 + 3],
      ]),
    );
  });

  it('are none where /proc has none', () => {
    using host = new FakeHost();
    expect(readInterrupts(host.paths, 3)).toEqual({ lines: [], defaultAffinity: undefined });
  });
});

describe('whether a line can be moved', () => {
  it('is told by the mode of its file where nobody may write it', () => {
    using host = new FakeHost().write({ 'proc/irq/24/smp_affinity_list': '6\n' });
    chmodSync(`${host.paths.proc}/irq/24/smp_affinity_list`, 0o444);
    const lines = [24, 25].map((number) => ({ number, name: '', source: '', counts: new Map(), effective: undefined }));
    const placed = lines.map((line) => ({ ...line, affinity: line.number === 24 ? [6] : undefined }));
    expect(readMovability(host.paths, { lines: placed, defaultAffinity: undefined })).toEqual(
      new Map([[24, 'refuses']]),
    );
  });

  // Files that answer as the kernel's do to text that is no list, and keep what they say.
  it.each([
    ['that takes lists only', '/proc/self/coredump_filter', 'moves'],
    ['that takes nothing (EIO, as before 6.12)', '/proc/self/mem', 'refuses'],
    ['that may not be opened for writing', '/dev', 'unknown'],
    ['that has no room, which says nothing of the line', '/dev/full', 'unknown'],
    ['that is not there', '/proc/self/none', 'unknown'],
  ])('is asked of a file %s', (_, path, answer) => {
    expect(movabilityOf(path)).toBe(answer);
  });
});

describe('the ban list of irqbalance', () => {
  it('is read from both variables, and of both places', () => {
    using host = new FakeHost();
    host.write({
      'etc/default/irqbalance': '# IRQBALANCE_BANNED_CPUS=ff\nIRQBALANCE_BANNED_CPUS="1,000000f0"\n',
      'etc/sysconfig/irqbalance': 'IRQBALANCE_BANNED_CPULIST=4-7\nIRQBALANCE_ARGS=\n',
    });
    expect(readBannedCpus(host.paths, 63)).toEqual([
      {
        path: `${host.paths.etc}/default/irqbalance`,
        variable: 'IRQBALANCE_BANNED_CPUS',
        cpus: [4, 5, 6, 7, 32],
        text: '1,000000f0',
      },
      {
        path: `${host.paths.etc}/sysconfig/irqbalance`,
        variable: 'IRQBALANCE_BANNED_CPULIST',
        cpus: [4, 5, 6, 7],
        text: '4-7',
      },
    ]);
  });

  it('has no CPUs where the text is none', () => {
    using host = new FakeHost();
    host.write({ 'etc/default/irqbalance': 'IRQBALANCE_BANNED_CPUS=xyz\n' });
    expect(readBannedCpus(host.paths, 63)?.[0]).toMatchObject({ cpus: undefined, text: 'xyz' });
  });

  it('is undefined where irqbalance has no configuration', () => {
    using host = new FakeHost();
    expect(readBannedCpus(host.paths, 63)).toBeUndefined();
  });
});

describe('workqueues', () => {
  it('have the mask of all, what partitions took off it, and masks of their own', () => {
    using host = new FakeHost();
    host.write({
      'sys/devices/virtual/workqueue/cpumask': '3f\n',
      'sys/devices/virtual/workqueue/cpumask_isolated': 'c0\n',
      'sys/devices/virtual/workqueue/cpumask_requested': 'ff\n',
      'sys/devices/virtual/workqueue/writeback/cpumask': 'ff\n',
      'sys/devices/virtual/workqueue/power/control': 'auto\n',
    });
    expect(readWorkqueues(host.paths, 7)).toEqual({
      cpumask: [0, 1, 2, 3, 4, 5],
      isolated: [6, 7],
      requested: [0, 1, 2, 3, 4, 5, 6, 7],
      queues: [{ name: 'writeback', cpumask: [0, 1, 2, 3, 4, 5, 6, 7] }],
    });
  });

  it('are undefined where the kernel does not show them', () => {
    using host = new FakeHost();
    expect(readWorkqueues(host.paths, 7)).toBeUndefined();
  });
});
