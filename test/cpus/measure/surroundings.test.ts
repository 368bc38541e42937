import { describe, expect, it } from 'vitest';
import { virtualBy } from '../../../src/cpus/measure/machine.ts';
import { readMoment, surroundingsOf } from '../../../src/cpus/measure/surroundings.ts';
import { readTopology } from '../../../src/host/topology.ts';
import { FakeHost } from '../fake-host.ts';

const interrupts = (rx: number, local: number): string =>
  `            CPU0       CPU1\n  24:          5 ${String(rx).padStart(10)}  PCI-MSIX-0000:00:02.0 1-edge      virtio0-rx\n LOC:         10 ${String(local).padStart(10)}   Local timer interrupts\n ERR:          3\n`;
const CPUIDLE = 'sys/devices/system/cpu/cpu1/cpuidle';

describe('what went on at a CPU', () => {
  it('is the difference of two moments', () => {
    using host = new FakeHost().machine({ packages: [{ id: 0, cores: [[0, 1]] }] });
    host.write({
      'proc/stat': 'cpu  0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 10 0 10 100 0 0 0 0 0 0\n',
      'proc/interrupts': interrupts(7, 20),
      'sys/devices/system/cpu/cpu1/cpufreq/scaling_governor': 'performance\n',
      [`${CPUIDLE}/state0/name`]: 'POLL\n',
      [`${CPUIDLE}/state0/latency`]: '0\n',
      [`${CPUIDLE}/state1/name`]: 'C1\n',
      [`${CPUIDLE}/state1/latency`]: '2\n',
      [`${CPUIDLE}/state2/name`]: 'C6\n',
      [`${CPUIDLE}/state2/latency`]: '133\n',
      [`${CPUIDLE}/state2/disable`]: '1\n',
    });
    const before = readMoment(host.paths);
    host.write({
      'proc/stat': 'cpu  0 0 0 0\ncpu0 50 0 0 50 0 0 0 0 0 0\ncpu1 20 0 20 160 0 0 0 20 0 0\n',
      'proc/interrupts': interrupts(9, 1020),
    });
    const after = readMoment(host.paths);
    expect(surroundingsOf(host.paths, readTopology(host.paths), [1], [before, after])).toEqual([
      {
        cpu: 1,
        devices: [{ name: '24 virtio0-rx', count: 2 }],
        local: [{ name: 'LOC', count: 1000 }],
        softirqs: [],
        busy: 0.2,
        steal: 0.2,
        siblings: [{ cpu: 0, busy: 0.5 }],
        governor: 'performance',
        idle: { name: 'C1', exitUs: 2 },
      },
    ]);
  });
});

describe('a guest', () => {
  const marked = { 'proc/cpuinfo': 'flags\t\t: fpu hypervisor lm\n' };
  it.each([
    ['by the mark of the processor', marked, 'a hypervisor'],
    ['with the name that firmware gives', { ...marked, 'sys/class/dmi/id/sys_vendor': 'QEMU\n' }, 'QEMU'],
    ['of Xen', { 'sys/hypervisor/type': 'xen\n' }, 'Xen'],
    [
      'of ARM, which has no mark',
      { 'proc/cpuinfo': 'Features : fp\n', 'sys/class/dmi/id/sys_vendor': 'QEMU\n' },
      'QEMU',
    ],
  ])('is known %s', (_, files, name) => {
    using host = new FakeHost().write(files);
    expect(virtualBy(host.paths)).toBe(name);
  });

  it.each([
    [
      'hardware of a maker of hypervisors',
      { 'proc/cpuinfo': 'flags : fpu\n', 'sys/class/dmi/id/sys_vendor': 'Oracle Corporation\n' },
    ],
    ['the first domain of Xen', { 'sys/hypervisor/type': 'xen\n', 'proc/xen/capabilities': 'control_d\n' }],
  ])('is not %s', (_, files) => {
    using host = new FakeHost().write(files);
    expect(virtualBy(host.paths)).toBeUndefined();
  });
});
