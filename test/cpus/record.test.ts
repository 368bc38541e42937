import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printIndexSet } from '../../src/core/cpuset.ts';
import type { ReservationRecord } from '../../src/cpus/model.ts';
import { parseRecord, readRecords, recordPath, recordText } from '../../src/cpus/record.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { FakeHost } from './fake-host.ts';
import { recordOf } from './ground.ts';

const sets = fc.uniqueArray(fc.nat(8191), { minLength: 1, maxLength: 20 }).map((all) => all.sort((a, b) => a - b));
const slices = fc.stringMatching(/^[a-z0-9:_.\\]{1,12}$/).map((stem) => `${stem}.slice`);

/** Anything that a folder may be called. */
const groups = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..')
  .map((name) => `/${name}`);

const records: fc.Arbitrary<ReservationRecord> = fc.record({
  name: slices,
  cpus: sets,
  memoryNodes: fc.oneof(fc.constant([]), sets),
  keep: fc.array(slices, { maxLength: 3 }),
  groups: fc.array(groups, { maxLength: 3 }),
  partition: fc.constantFrom(undefined, 'root' as const, 'isolated' as const),
  interrupts: fc.boolean(),
  workqueues: fc.boolean(),
  kernelThreads: fc.boolean(),
  kubelet: fc.boolean(),
  runtime: fc.boolean(),
  whileUnit: fc.constantFrom(undefined, 'machine-qemu\\x2d1\\x2ddb.scope'),
});

describe('a record', () => {
  it('reads as it was written, up to CPU 8191', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(parseRecord(recordText(record), recordPath(record), record.runtime)).toEqual(record);
      }),
    );
  });

  it('says how it is released', () => {
    const more = { keep: ['machine.slice'], groups: ['/docker', '/my lxc'], interrupts: true };
    expect(recordText(recordOf('db.slice', '6-7', more))).toBe(`\
# CPUs that slicectl reserved for db.slice. Removing this file does not give them back; this does:
#   slicectl cpus release db.slice
[Reservation]
Slice=db.slice
AllowedCPUs=6-7
KeepSlices=machine.slice
Groups=/docker /my\\\\x20lxc
Interrupts=yes
`);
  });

  it.each([
    ['', 'it has no section [Reservation]'],
    ['[Reservation]\nSlice=db.slice\n', 'AllowedCPUs= names no CPU'],
    ['[Reservation]\nSlice=db.slice\nAllowedCPUs=3-1\n', 'the range 3-1 runs backwards'],
    ['[Reservation]\nSlice=db\nAllowedCPUs=1\n', 'slice "db" does not end in .slice'],
    ['[Reservation]\nSlice=db.slice\nAllowedCPUs=1\nColour=red\n', 'this slicectl does not know "Colour"'],
    ['[Reservation]\nSlice=db.slice\nAllowedCPUs=1\nGroups=/..\n', '"/.." of Groups= is no top-level group'],
    ['[Reservation]\nSlice=db.slice\nAllowedCPUs=1\nGroups=/a/b\n', '"/a/b" of Groups= is no top-level group'],
    ['[Reservation]\nSlice=db.slice\nAllowedCPUs=1\nInterrupts=maybe\n', 'Interrupts= is neither yes nor no'],
    ['[Reservation]\nSlice=db.slice\nAllowedCPUs=1\nCPUSetPartition=mine\n', 'neither root nor isolated'],
  ])('that cannot be meant is a fault and not left out: %j', (text, why) => {
    expect(() => parseRecord(text, '/etc/slicectl/reservations/db.slice.conf', false)).toThrow(why);
  });
});

describe('the records of a host', () => {
  const text = (name: string, cpus: string): string => recordText(recordOf(name, cpus));

  it('are those that last and those until reboot, of which the latter count', () => {
    using host = new FakeHost();
    host.write({
      'etc/slicectl/reservations/db.slice.conf': text('db.slice', '6-7'),
      'etc/slicectl/reservations/README': 'not one',
      'run/slicectl/reservations/db.slice.conf': text('db.slice', '4-7'),
      'run/slicectl/reservations/rt.slice.conf': text('rt.slice', '3'),
    });
    const found = readRecords(new RootTree(host.root)).map((one) => [one.name, printIndexSet(one.cpus), one.runtime]);
    expect(found).toEqual([
      ['db.slice', '4-7', true],
      ['rt.slice', '3', true],
    ]);
  });

  it('have the names of their files', () => {
    using host = new FakeHost();
    host.write({ 'etc/slicectl/reservations/a.slice.conf': text('b.slice', '6') });
    expect(() => readRecords(new RootTree(host.root))).toThrow('it is a record of b.slice');
  });

  it('are none where nothing was ever reserved', () => {
    using host = new FakeHost();
    expect(readRecords(new RootTree(host.root))).toEqual([]);
  });
});
