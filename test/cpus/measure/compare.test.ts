import { describe, expect, it } from 'vitest';
import { compare } from '../../../src/cpus/measure/compare.ts';
import { limitsOf } from '../../../src/cpus/measure/limits.ts';
import { parseSaved, savedText } from '../../../src/cpus/measure/saved.ts';
import { targetsOf } from '../../../src/cpus/measure/targets.ts';
import { readTopology } from '../../../src/host/topology.ts';
import { FakeHost } from '../fake-host.ts';
import { sample, sampleCpu } from './sample.ts';

const BEFORE = sample(
  [0, 1, 2, 3].map((cpu) => sampleCpu(cpu, 'system', [1000 * (cpu + 1), 9e6])),
  {
    reservation: undefined,
  },
);
const AFTER = sample([sampleCpu(0, 'system', [3e6]), sampleCpu(2, 'payload', [500]), sampleCpu(3, 'payload', [700])]);

describe('a comparison', () => {
  it('takes roles from the later measurement, since before the same CPUs were the system’s', () => {
    const { series } = compare(AFTER, BEFORE);
    expect(series.map(({ role, when, cpus }) => [role, when, cpus])).toEqual([
      ['payload', 'before', [2, 3]],
      ['payload', 'after', [2, 3]],
      ['system', 'before', [0]],
      ['system', 'after', [0]],
    ]);
    expect(series.map(({ late }) => late.count)).toEqual([4, 2, 2, 1]);
  });

  it('names CPUs that were not measured before, and what else is not the same', () => {
    const now = sample([sampleCpu(2, 'payload', [500]), sampleCpu(7, 'payload', [500])], { seconds: 60 });
    const { series, differences } = compare(now, BEFORE);
    expect(series.map(({ when, cpus }) => [when, cpus])).toEqual([
      ['before', [2]],
      ['after', [2, 7]],
    ]);
    expect(differences).toEqual([
      'CPUs 7 were not measured before',
      'the time in seconds was 120 before and is 60 now',
    ]);
  });

  it('has one series a role without an earlier measurement', () => {
    expect(compare(AFTER).series.map(({ role, when }) => [role, when])).toEqual([
      ['payload', undefined],
      ['system', undefined],
    ]);
  });
});

describe('a saved measurement', () => {
  it('comes back as it was', () => {
    expect(compare(parseSaved(savedText(AFTER), 'a.json'))).toEqual(compare(AFTER));
  });

  it.each([
    ['nothing', ''],
    ['a list', '[]'],
    ['another version', '{"version":2}'],
    ['parts', '{"version":1,"cpus":[]}'],
    ['a CPU without figures', savedText({ ...AFTER, cpus: [{ cpu: 1 }] } as never)],
  ])('is refused with %s', (_, text) => {
    expect(() => parseSaved(text, 'a.json')).toThrow(expect.objectContaining({ code: 'E_SYNTAX' }));
  });
});

describe('what a measurement cannot show', () => {
  const told = (over: Parameters<typeof sample>[1], cpu = sampleCpu(2, 'payload', [1])): string =>
    limitsOf(sample([cpu], over)).join('\n');
  const { machine } = sample([]);

  it('is told of a guest, a busy machine, a short time', () => {
    expect(told({ machine: { ...machine, virtual: 'KVM' } })).toMatch(/guest \(KVM\)/);
    expect(told({ machine: { ...machine, load: [0, 9.5] } })).toMatch(/load 9.5 on 8 CPUs/);
    expect(told({ seconds: 5 })).toMatch(/5 s are few/);
    expect(told({})).not.toMatch(/guest|busy|few/);
  });

  it('is told of a probe that was moved, collected garbage or had a busy sibling', () => {
    const cpu = sampleCpu(2, 'payload', [1]);
    expect(told({}, { ...cpu, allowed: [2, 3] })).toMatch(/CPU 2: somebody moved the probe/);
    expect(told({}, { ...cpu, collections: 3 })).toMatch(/CPU 2: garbage collections/);
    const around = { ...cpu.around, siblings: [{ cpu: 6, busy: 0.5 }] };
    expect(told({}, { ...cpu, around })).toMatch(/CPU 2: the other thread of the core was busy/);
  });
});

describe('what is measured', () => {
  using host = new FakeHost().machine({
    packages: [
      {
        id: 0,
        cores: [
          [0, 4],
          [1, 5],
          [2, 6],
          [3, 7],
        ],
      },
    ],
  });
  const topology = readTopology(host.paths);
  const payload = { name: 'payload.slice', cpus: [2, 6] };
  const ask = { topology, reservations: [payload], all: [payload], cpus: undefined, hasSystemd: true };

  it('is each payload CPU in its slice, and as many system CPUs in system.slice', () => {
    expect(targetsOf(ask)).toEqual([
      { cpu: 0, role: 'system', slice: 'system.slice' },
      { cpu: 2, role: 'payload', slice: 'payload.slice' },
      { cpu: 4, role: 'system', slice: 'system.slice' },
      { cpu: 6, role: 'payload', slice: 'payload.slice' },
    ]);
  });

  it('is all CPUs as the system’s, where slicectl is, without a reservation', () => {
    const targets = targetsOf({ ...ask, reservations: [], all: [] });
    expect(targets).toEqual(topology.online.map((cpu) => ({ cpu, role: 'system', slice: undefined })));
  });

  it('is what was asked for, each CPU in its role', () => {
    expect(targetsOf({ ...ask, cpus: [1, 2] }).map(({ cpu, role }) => [cpu, role])).toEqual([
      [1, 'system'],
      [2, 'payload'],
    ]);
    expect(() => targetsOf({ ...ask, cpus: [1, 8] })).toThrow(/not online: 8/);
  });
});
