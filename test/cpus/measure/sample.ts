import { Histogram } from '../../../src/cpus/measure/histogram.ts';
import type { CpuMeasurement, CpuRole, Measurement } from '../../../src/cpus/measure/model.ts';

/** A CPU whose probe woke up so late. */
export function sampleCpu(cpu: number, role: CpuRole, late: readonly number[]): CpuMeasurement {
  const histogram = new Histogram();
  for (const ns of late) histogram.add(ns);
  return {
    cpu,
    role,
    late: histogram.distribution(),
    gap: { largestNs: 12_345, watchedNs: 5e8 },
    floor: { clockNs: 40, wakeNs: 6000, slackNs: 1 },
    involuntary: 7,
    waitNs: 1_500_000,
    ownNs: 8e8,
    collections: 0,
    scheduling: 'normal',
    allowed: [cpu],
    cgroup: '/',
    around: {
      cpu,
      devices: [{ name: '41 virtio3-rx', count: 12 }],
      local: [
        { name: 'LOC', count: 10_000 },
        { name: 'RES', count: 3 },
      ],
      softirqs: [],
      busy: 0.31,
      steal: 0,
      siblings: [{ cpu: cpu + 4, busy: 0.02 }],
      governor: 'performance',
      idle: { name: 'C1', exitUs: 2 },
    },
  };
}

export function sample(cpus: readonly CpuMeasurement[], over: Partial<Measurement> = {}): Measurement {
  return {
    version: 1,
    taken: '2026-01-02T03:04:05.000Z',
    seconds: 120,
    intervalUs: 1000,
    limitUs: 100,
    reservation: 'payload.slice',
    machine: {
      kernel: '6.12.1',
      virtual: undefined,
      clocksource: 'tsc',
      isRealtime: false,
      load: [0.5, 0.7],
      cpusOnline: 8,
    },
    cpus,
    tools: [],
    notes: [],
    ...over,
  };
}
