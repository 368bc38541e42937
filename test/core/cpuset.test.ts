import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  equalSets,
  indexSetFromBytes,
  indexSetToBytes,
  indexSetToPaddedBytes,
  indicesTo,
  intersection,
  isSubset,
  MAX_INDEX,
  parseIndexSet,
  printIndexSet,
  union,
  without,
} from '../../src/core/cpuset.ts';
import { refusal } from './support.ts';

const sets = fc
  .uniqueArray(fc.integer({ min: 0, max: MAX_INDEX }), { maxLength: 200 })
  .map((found) => found.sort((a, b) => a - b));

describe('a set of CPUs', () => {
  it.each([
    ['0-3,8', [0, 1, 2, 3, 8]],
    ['0 1 2', [0, 1, 2]],
    ['0-3 8', [0, 1, 2, 3, 8]],
    ['3, 1 ,2', [1, 2, 3]],
    ['1-3,2-4', [1, 2, 3, 4]],
    ['5-5', [5]],
    ['8191', [8191]],
    ['0-1\n', [0, 1]],
    ['', []],
  ])('%j has the members %j', (text, members) => {
    expect(parseIndexSet(text, 'AllowedCPUs')).toEqual(members);
  });

  // Documentation/admin-guide/cgroup-v2.rst, cpuset.cpus: "0-4,6,8-10".
  it.each([
    [[0, 1, 2, 3, 4, 6, 8, 9, 10], '0-4,6,8-10'],
    [[0, 1], '0-1'],
    [[7], '7'],
    [[], ''],
  ])('of %j prints as the kernel does: %j', (members, text) => {
    expect(printIndexSet(members)).toBe(text);
  });

  // systemd src/test/test-cpu-set-util.c and org.freedesktop.systemd1(5): CPU n is bit n%8 of byte n/8.
  it.each([
    ['0-3,8', [15, 1]],
    ['0', [1]],
    ['7', [128]],
    ['8', [0, 1]],
    ['0-15', [255, 255]],
    ['63', [0, 0, 0, 0, 0, 0, 0, 128]],
    ['', []],
  ])('%j travels as the bytes %j', (text, bytes) => {
    expect([...indexSetToBytes(parseIndexSet(text, 'x'))]).toEqual(bytes);
  });

  it('comes back from its list and from its bytes', () => {
    fc.assert(
      fc.property(sets, fc.nat(8), (set, zeros) => {
        expect(parseIndexSet(printIndexSet(set), 'x')).toEqual(set);
        expect(indexSetFromBytes(indexSetToBytes(set))).toEqual(set);
        expect(indexSetFromBytes(new Uint8Array([...indexSetToBytes(set), ...new Uint8Array(zeros)]))).toEqual(set);
      }),
    );
  });

  it('holds its highest index, 8191, in 1024 bytes', () => {
    expect(indexSetToBytes([MAX_INDEX])).toHaveLength(1024);
    expect(indexSetFromBytes(indexSetToBytes([MAX_INDEX]))).toEqual([MAX_INDEX]);
  });

  it('without another set keeps exactly the members that are not in it', () => {
    fc.assert(
      fc.property(sets, sets, (set, other) => {
        const rest = without(set, other);
        for (const index of set) expect(rest.includes(index)).toBe(!other.includes(index));
        expect(rest.every((index) => set.includes(index))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['3-1', 'the range 3-1 runs backwards', 'write 1-3'],
    ['8192', '8192 is above 8191', 'write 0-3,8'],
    ['0-99999999999999999999', 'is above 8191', 'write 0-3,8'],
    ['a', '"a" is not a number or a range', 'write 0-3,8'],
    ['1-2-3', '"1-2-3" is not a number or a range', 'write 0-3,8'],
    ['-1', '"-1" is not a number or a range', 'write 0-3,8'],
    ['0-', '"0-" is not a number or a range', 'write 0-3,8'],
    ['0x3', '"0x3" is not a number or a range', 'write 0-3,8'],
    ['1.5', '"1.5" is not a number or a range', 'write 0-3,8'],
  ])('%j is refused', (text, reason, hint) => {
    const error = refusal(() => parseIndexSet(text, 'AllowedCPUs'));
    expect(error).toMatchObject({ code: 'E_INPUT', hint });
    expect(error.message).toContain(`AllowedCPUs=${JSON.stringify(text)}`);
    expect(error.message).toContain(reason);
  });
});

describe('the bytes that systemd gives back', () => {
  // test_cpu_set_to_from_dbus of systemd (src/test/test-cpu-set-util.c) and `busctl get-property` of 257: 0-3 is eight bytes.
  it.each([
    ['', []],
    ['0-3', [0x0f, 0, 0, 0, 0, 0, 0, 0]],
    ['63', [0, 0, 0, 0, 0, 0, 0, 0x80]],
    ['64', [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]],
    ['1 3 8 100-200', [0x0a, 1, ...Array(10).fill(0), 0xf0, ...Array(12).fill(0xff), 1, ...Array(6).fill(0)]],
  ])('of %j are %j', (text, bytes) => {
    expect([...indexSetToPaddedBytes(parseIndexSet(text, 'x'))]).toEqual(bytes);
  });

  it('are whole words of eight and the same set', () => {
    fc.assert(
      fc.property(sets, (set) => {
        const bytes = indexSetToPaddedBytes(set);
        expect(bytes.length % 8).toBe(0);
        expect(indexSetFromBytes(bytes)).toEqual(set);
      }),
    );
  });
});

describe('sets among each other', () => {
  it('agree with the sets of the language', () => {
    const small = fc.uniqueArray(fc.nat(30), { maxLength: 20 }).map((found) => found.sort((a, b) => a - b));
    fc.assert(
      fc.property(small, small, (a, b) => {
        const all = indicesTo(30);
        expect(union(a, b)).toEqual(all.filter((index) => a.includes(index) || b.includes(index)));
        expect(intersection(a, b)).toEqual(all.filter((index) => a.includes(index) && b.includes(index)));
        expect(isSubset(a, b)).toBe(a.every((index) => b.includes(index)));
        expect(equalSets(a, b)).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(union(without(a, b), intersection(a, b))).toEqual(a);
      }),
    );
  });

  it('the union of none is empty', () => {
    expect(union()).toEqual([]);
  });
});
