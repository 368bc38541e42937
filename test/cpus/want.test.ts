import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intersection, printIndexSet, union } from '../../src/core/cpuset.ts';
import type { CpuFacts, ReservationRecord } from '../../src/cpus/model.ts';
import { wantedFor } from '../../src/cpus/want.ts';
import { GUEST_8, topologyOf } from './fake-host.ts';
import { factsOf, groupOf, recordOf, set, unitOf } from './ground.ts';

const files = (facts: CpuFacts, ...records: ReservationRecord[]): Record<string, string> =>
  Object.fromEntries(wantedFor(facts, records).files.map(({ path, text }) => [path, settings(text)]));

/** Without comments. */
const settings = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join('; ');

const units = (facts: CpuFacts, ...records: ReservationRecord[]): Record<string, string> =>
  Object.fromEntries(wantedFor(facts, records).units.map(({ unit, cpus }) => [unit, printIndexSet(cpus)]));

const ETC = '/etc/systemd/system';
const RUN = '/run/systemd/system';

describe('what one reservation wants', () => {
  it('is the system set for all slices and for systemd, and the payload set for its slice', () => {
    expect(files(factsOf(), recordOf('db.slice', '6-7'))).toEqual({
      '/etc/slicectl/reservations/db.slice.conf': '[Reservation]; Slice=db.slice; AllowedCPUs=6-7',
      [`${ETC}/slice.d/10-slicectl-cpus.conf`]: '[Slice]; AllowedCPUs=; AllowedCPUs=0-5',
      [`${ETC}/db.slice.d/zz-slicectl-cpus.conf`]: '[Slice]; AllowedCPUs=; AllowedCPUs=6-7',
      [`${ETC}/db-.slice.d/10-slicectl-cpus.conf`]: '[Slice]',
      [`${ETC}/init.scope.d/zz-slicectl-cpus.conf`]: '[Scope]; AllowedCPUs=; AllowedCPUs=0-5',
    });
  });

  it('is held at once by the units right below the root, and by the payload slice also before it is there', () => {
    expect(units(factsOf(), recordOf('db.slice', '6-7'))).toEqual({
      'init.scope': '0-5',
      'system.slice': '0-5',
      'user.slice': '0-5',
      'db.slice': '6-7',
    });
  });

  it('gives memory nodes and, from 261 on, the partition to the payload slice alone', () => {
    const record = recordOf('db.slice', '6-7', { memoryNodes: [1], partition: 'isolated' });
    const path = `${ETC}/db.slice.d/zz-slicectl-cpus.conf`;
    const nodes = 'AllowedMemoryNodes=; AllowedMemoryNodes=1';
    const again = 'slicectl-cpus-again.service';
    expect(files(factsOf({ systemd: 260 }), record)[path]).toBe(
      `[Slice]; AllowedCPUs=; AllowedCPUs=6-7; ${nodes}; [Unit]; Wants=${again}; Before=${again}`,
    );
    expect(files(factsOf({ systemd: 261 }), record)[path]).toBe(
      `[Slice]; AllowedCPUs=; AllowedCPUs=6-7; ${nodes}; CPUSetPartition=isolated`,
    );
  });

  it('leaves kept slices as they are by files that hide the one for all slices', () => {
    const facts = factsOf({ units: [unitOf('machine.slice', { given: set('0-1') })] });
    const record = recordOf('db.slice', '6-7', { keep: ['machine.slice'] });
    expect(files(facts, record)).toMatchObject({
      [`${ETC}/machine.slice.d/10-slicectl-cpus.conf`]: '[Slice]',
      [`${ETC}/machine-.slice.d/10-slicectl-cpus.conf`]: '[Slice]',
    });
    expect(units(facts, record)).toMatchObject({ 'machine.slice': '0-1' });
  });

  it('keeps the CPUs that an administrator gave a slice, or what of them is open to it', () => {
    const facts = factsOf({
      units: [unitOf('a.slice', { given: set('1-2') }), unitOf('b.slice', { given: set('4-7') })],
    });
    const record = recordOf('db.slice', '6-7');
    expect(files(facts, record)).toMatchObject({
      [`${ETC}/a.slice.d/10-slicectl-cpus.conf`]: '[Slice]',
      [`${ETC}/b.slice.d/zz-slicectl-cpus.conf`]: '[Slice]; AllowedCPUs=; AllowedCPUs=4-5',
    });
    expect(units(facts, record)).toMatchObject({ 'a.slice': '1-2', 'b.slice': '4-5' });
  });

  it('has services and scopes of the root slice on the system CPUs, by a file where they have one', () => {
    const loose = { slice: '-.slice', cgroup: '/x' };
    const facts = factsOf({
      units: [
        unitOf('own.service', loose),
        unitOf('made.service', { ...loose, isTransient: true }),
        unitOf('made.scope', { ...loose, isTransient: true }),
        unitOf('gone.service', { ...loose, activeState: 'inactive' }),
      ],
    });
    const record = recordOf('db.slice', '6-7');
    const { 'db.slice': _, ...others } = units(facts, record);
    expect(others).toEqual({ 'own.service': '0-5', 'made.service': '0-5', 'made.scope': '0-5' });
    const paths = Object.keys(files(facts, record)).filter((path) => /(?:service|scope)\.d/.test(path));
    expect(paths).toEqual([
      `${ETC}/own.service.d/zz-slicectl-cpus.conf`,
      `${ETC}/gone.service.d/zz-slicectl-cpus.conf`,
      `${ETC}/init.scope.d/zz-slicectl-cpus.conf`,
    ]);
  });

  it('has groups that systemd did not make on the system CPUs', () => {
    const groups = {
      version: 2,
      root: set('0-7'),
      isolated: [],
      groups: [groupOf('/docker', ''), groupOf('/user.slice', '')],
    } as const;
    expect(wantedFor(factsOf({ groups }), [recordOf('db.slice', '6-7')]).groups).toEqual([
      { path: '/docker', cpus: set('0-5') },
    ]);
  });

  it('has CPUs that are offline among those of the system, and those of isolcpus= among those of nobody', () => {
    const topology = topologyOf({ ...GUEST_8, offline: [2], isolated: [7] });
    const wanted = wantedFor(factsOf({ topology }), [recordOf('db.slice', '6')]);
    expect([wanted.system, wanted.all].map(printIndexSet)).toEqual(['0-5', '0-6']);
  });
});

describe('a boot brings back what systemd does not keep', () => {
  const boot = `${ETC}/slicectl-cpus.service`;
  const wants = `${ETC}/multi-user.target.d/zz-slicectl-cpus.conf`;

  it.each([
    ['interrupts', { interrupts: true }],
    ['workers', { workqueues: true }],
    ['kernel threads', { kernelThreads: true }],
    ['a partition before 261', { partition: 'root' as const }],
  ])('by a unit: %s', (_, more) => {
    const found = files(factsOf(), recordOf('db.slice', '6-7', more));
    expect(found[wants]).toBe('[Unit]; Wants=slicectl-cpus.service');
    expect(found[boot]).toContain('ExecStart=/usr/bin/node /opt/slicectl/main.js cpus apply --quiet');
  });

  it('by a unit for init.scope too, whose files are read since 253', () => {
    const found = files(factsOf({ systemd: 252 }), recordOf('db.slice', '6-7'));
    expect(found[boot]).toBeDefined();
    expect(found[`${ETC}/init.scope.d/zz-slicectl-cpus.conf`]).toBeUndefined();
  });

  it('needs no unit for AllowedCPUs, nor for what is over then', () => {
    expect(files(factsOf(), recordOf('db.slice', '6-7'))[boot]).toBeUndefined();
    expect(files(factsOf(), recordOf('db.slice', '6-7', { interrupts: true, runtime: true }))[boot]).toBeUndefined();
  });

  it('is the installed unit where there is one', () => {
    const installed = factsOf({ boot: { isInstalled: true, ownText: undefined, againText: undefined, program: [] } });
    const found = files(installed, recordOf('db.slice', '6-7', { interrupts: true }));
    expect(found[boot]).toBeUndefined();
    expect(found[wants]).toBeDefined();
  });

  it('keeps the words of the program by which the unit was written', () => {
    const known = factsOf({
      boot: { isInstalled: false, ownText: 'as it was\n', againText: undefined, program: ['/elsewhere'] },
    });
    expect(files(known, recordOf('db.slice', '6-7', { interrupts: true }))[boot]).toBe('as it was');
  });
});

describe('a payload slice that starts anew', () => {
  const again = `${ETC}/slicectl-cpus-again.service`;
  const drop = `${ETC}/db.slice.d/zz-slicectl-cpus.conf`;
  const record = recordOf('db.slice', '6-7', { partition: 'root' });

  it('has its partition brought back where systemd does not know it', () => {
    const found = files(factsOf(), record);
    expect(found[drop]).toContain('[Unit]; Wants=slicectl-cpus-again.service; Before=slicectl-cpus-again.service');
    expect(found[again]).toContain('ExecStart=/usr/bin/node /opt/slicectl/main.js cpus apply --quiet --partitions');
    expect(files(factsOf(), { ...record, runtime: true })[`${RUN}/slicectl-cpus-again.service`]).toBeDefined();
  });

  it('needs no unit for that where systemd keeps the partition, nor for CPUs alone', () => {
    const none = [files(factsOf({ systemd: 262 }), record), files(factsOf(), recordOf('db.slice', '6-7'))];
    for (const found of none) {
      expect(found[again]).toBeUndefined();
      expect(found[drop]).not.toContain('[Unit]');
    }
  });
});

describe('several reservations', () => {
  it('are all left out of the system set', () => {
    const wanted = wantedFor(factsOf(), [recordOf('a.slice', '2-3'), recordOf('b.slice', '6-7')]);
    expect(printIndexSet(wanted.system)).toBe('0-1,4-5');
  });

  it('until reboot are written over those that last, which are right by themselves after a boot', () => {
    const found = files(factsOf(), recordOf('a.slice', '2-3'), recordOf('b.slice', '6-7', { runtime: true }));
    expect(found).toMatchObject({
      [`${ETC}/slice.d/10-slicectl-cpus.conf`]: '[Slice]; AllowedCPUs=; AllowedCPUs=0-1,4-7',
      [`${RUN}/slice.d/11-slicectl-cpus.conf`]: '[Slice]; AllowedCPUs=; AllowedCPUs=0-1,4-5',
      [`${RUN}/a.slice.d/zzz-slicectl-cpus.conf`]: '[Slice]; AllowedCPUs=; AllowedCPUs=2-3',
      [`${RUN}/b.slice.d/zzz-slicectl-cpus.conf`]: '[Slice]; AllowedCPUs=; AllowedCPUs=6-7',
    });
    expect(found[`${ETC}/b.slice.d/zz-slicectl-cpus.conf`]).toBeUndefined();
  });

  it('have interrupts, workers and kernel threads only where those that ask for it are not', () => {
    const wanted = wantedFor(factsOf(), [
      recordOf('a.slice', '2-3', { interrupts: true }),
      recordOf('b.slice', '6-7', { kernelThreads: true }),
    ]);
    expect(wanted.interrupts).toEqual(set('0-1,4-7'));
    expect(wanted.kernelThreads).toEqual(set('0-5'));
    expect(wanted.workqueues).toBeUndefined();
  });
});

describe('irqbalance', () => {
  it('leaves the payload CPUs alone, and those that it was told to leave before', () => {
    const facts = factsOf({ irqbalance: { isRunning: true, banned: set('0') } });
    expect(files(facts, recordOf('db.slice', '6-7', { interrupts: true }))).toMatchObject({
      '/etc/slicectl/irqbalance.env': 'IRQBALANCE_BANNED_CPULIST=0,6-7; IRQBALANCE_BANNED_CPUS=c1',
      [`${ETC}/irqbalance.service.d/zz-slicectl-cpus.conf`]: '[Service]; EnvironmentFile=/etc/slicectl/irqbalance.env',
    });
  });

  it('is told nothing where interrupts are not asked for', () => {
    const facts = factsOf({ irqbalance: { isRunning: true, banned: [] } });
    expect(files(facts, recordOf('db.slice', '6-7'))['/etc/slicectl/irqbalance.env']).toBeUndefined();
  });
});

describe('no reservation', () => {
  it('wants no file of ours, and for each unit what others gave it', () => {
    const facts = factsOf({
      units: [unitOf('system.slice', { allowed: set('0-5'), given: [] }), unitOf('a.slice', { given: set('1') })],
    });
    expect(files(facts)).toEqual({});
    expect(units(facts)).toEqual({ 'system.slice': '', 'a.slice': '1' });
  });
});

it('never gives a CPU to payload and system at once, nor leaves one out', () => {
  const disjoint = fc
    .uniqueArray(fc.nat(7), { minLength: 2, maxLength: 6 })
    .chain((cpus) => fc.integer({ min: 1, max: cpus.length - 1 }).map((at) => [cpus.slice(0, at), cpus.slice(at)]));
  fc.assert(
    fc.property(disjoint, ([a = [], b = []]) => {
      const list = (cpus: readonly number[]): string => printIndexSet(cpus.toSorted((x, y) => x - y));
      const wanted = wantedFor(factsOf(), [recordOf('a.slice', list(a)), recordOf('b.slice', list(b))]);
      const payloads = wanted.units.filter(({ role }) => role === 'payload').map(({ cpus }) => cpus);
      expect(intersection(wanted.system, union(...payloads))).toEqual([]);
      expect(union(wanted.system, ...payloads)).toEqual(wanted.all);
    }),
  );
});
