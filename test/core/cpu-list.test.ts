import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKernelList, parseKubeletList, parseSystemdList, printSystemdList } from '../../src/core/cpu-list.ts';
import { type IndexSet, MAX_INDEX, printIndexSet } from '../../src/core/cpuset.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { refusal } from './support.ts';

/** The set as text, or the errno of the refusal. */
function outcome(parse: () => IndexSet): string {
  try {
    return printIndexSet(parse());
  } catch (error) {
    if (error instanceof SlicectlError) return String(error.data.errno);
    throw error;
  }
}

const sets = fc
  .uniqueArray(fc.integer({ min: 0, max: MAX_INDEX }), { maxLength: 200 })
  .map((set) => set.sort((a, b) => a - b));

describe('the list of the kernel', () => {
  // Written to cpuset.cpus of a group of its own on kernel 6.18 with CPUs 0 and 1.
  it.each([
    ['0', '0'],
    ['0-1', '0-1'],
    ['N', '1'],
    ['0-N', '0-1'],
    ['all', '0-1'],
    ['ALL', '0-1'],
    ['aLl:1/1', '0-1'],
    ['all:1/2', '0'],
    ['0-1:1/2', '0'],
    ['0-1:5/8', '0-1'],
    ['0-1:0/1', ''],
    ['0-1:2/1', 'EINVAL'],
    ['0-1:1/0', 'EINVAL'],
    ['0:1/2', 'EINVAL'],
    ['1-0', 'EINVAL'],
    ['1,0', '0-1'],
    ['00001', '1'],
    ['0,,1', '0-1'],
    [' 0\t1 ', '0-1'],
    ['0\v1', '0-1'],
    ['0\n1', '0'],
    [',\n0', '0'],
    ['1-1:1/1\n0', '0-1'],
    ['0,\n1', '0-1'],
    ['all\nx', '0-1'],
    ['', ''],
    ['2', 'ERANGE'],
    ['4294967295', 'EINVAL'],
    ['4294967296', 'EOVERFLOW'],
    ['99999999999999999999999', 'EOVERFLOW'],
    ['1-1:1/1N', '1'],
    ['0-0:1/2all', '0-1'],
    ['allx', 'EINVAL'],
    ['n', 'EINVAL'],
    ['a', 'EINVAL'],
    ['+1', 'EINVAL'],
    ['-1', 'EINVAL'],
    ['0x1', 'EINVAL'],
    ['0-', 'EINVAL'],
    ['0- 1', 'EINVAL'],
    ['0 -1', 'EINVAL'],
  ])('%j is %j where the last CPU is 1', (text, expected) => {
    expect(outcome(() => parseKernelList(text, 'cpus', 1))).toBe(expected);
  });

  // The kernel's own vectors (lib/test_bitmap.c), with the mask's last bit.
  it.each([
    ['16-31', 31, '16-31'],
    ['1-31:1/4', 31, '1,5,9,13,17,21,25,29'],
    ['1-31:4/4', 31, '1-31'],
    ['0-31:3/4,32-63:4/4', 63, '0-2,4-6,8-10,12-14,16-18,20-22,24-26,28-30,32-63'],
    ['  ,,  0-7:3/4  ,, 32-39:4/4  ,,  ', 63, '0-2,4-6,32-39'],
    ['0-2047:128/256', 2047, '0-127,256-383,512-639,768-895,1024-1151,1280-1407,1536-1663,1792-1919'],
    [',,  ,,  , ,  ,', 7, ''],
    ['10-1', 7, 'EINVAL'],
    ['0-31:', 7, 'EINVAL'],
    ['0-31:0/', 7, 'EINVAL'],
    ['0-31:0/0', 7, 'EINVAL'],
    ['0-31:10/1', 7, 'EINVAL'],
    ['0-98765432123456789:10/1', 7, 'EOVERFLOW'],
    ['0-a1', 7, 'EINVAL'],
    ['0-31:a/1', 7, 'EINVAL'],
    ['0-\n', 7, 'EINVAL'],
  ])('%j of a mask to %i is %j', (text, last, expected) => {
    expect(outcome(() => parseKernelList(text, 'cpus', last))).toBe(expected);
  });

  it('a refusal names the value and the reason', () => {
    expect(refusal(() => parseKernelList('0-3,12', '--cpus', 7)).message).toBe(
      '--cpus="0-3,12": 12 is above 7, the last one here',
    );
  });

  it('what the kernel prints is read back, whatever the set', () => {
    fc.assert(
      fc.property(sets, (set) => {
        expect(parseKernelList(`${printIndexSet(set)}\n`, 'cpus')).toEqual(set);
      }),
    );
  });

  it('a stride takes the first of each group, as counting one by one does', () => {
    const bounds = fc.tuple(fc.nat(300), fc.nat(300), fc.integer({ min: 1, max: 40 }), fc.nat(40));
    fc.assert(
      fc.property(bounds, ([start, length, group, most]) => {
        const used = Math.min(most, group);
        const all = Array.from({ length: length + 1 }, (_, at) => start + at);
        const wanted = all.filter((_, at) => at % group < used);
        expect(parseKernelList(`${start}-${start + length}:${used}/${group}`, 'cpus')).toEqual(wanted);
      }),
    );
  });

  it('no text makes it fail otherwise than with a refusal, nor give an index above the last', () => {
    const texts = fc.string({ unit: fc.constantFrom(...'0123456789-:/,N \nal'), maxLength: 12 });
    fc.assert(
      fc.property(texts, fc.nat(100), (text, last) => {
        const found = outcome(() => {
          const set = parseKernelList(text, 'cpus', last);
          expect(set.every((index) => index <= last)).toBe(true);
          return set;
        });
        expect(found).toMatch(/^(?:[\d,-]*|EINVAL|ERANGE|EOVERFLOW)$/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the list of systemd', () => {
  // The vectors of systemd's own test (src/test/test-cpu-set-util.c).
  it.each([
    ['1 2 4', '1-2,4'],
    ['8 \'9\' 10 "11"', '8-11'],
    ['0,1,2,3 8,9,10,11', '0-3,8-11'],
    ['0, 1, 2, 3, 4, 5, 6, 7, 63, ', '0-7,63'],
    ['0-3  8-11, ', '0-3,8-11'],
    ['3-0', ''],
    ['0-7 4-11', '0-11'],
    ['0,2 4-11', '0,2,4-11'],
    ['0 1 2 3 garbage', 'EINVAL'],
    ['0-3 8-garbage', 'EINVAL'],
    ['', ''],
    ['0 1 2 3 "4 5 6 7 ', 'EINVAL'],
    ['8000-8191', '8000-8191'],
  ])('%j is %j', (text, expected) => {
    expect(outcome(() => parseSystemdList(text, 'AllowedCPUs'))).toBe(expected);
  });

  // What `systemd-analyze verify` of 252 says of AllowedCPUs=.
  it.each([
    ['08', 'EINVAL'],
    ['-1', 'EINVAL'],
    ['-0', 'EINVAL'],
    ['1-', 'EINVAL'],
    ['1- 2', 'EINVAL'],
    ['1--3', 'EINVAL'],
    ['8192', 'ERANGE'],
    ['1-4294967295', 'ERANGE'],
    ['4294967296', 'EINVAL'],
    ['0-3:1/2', 'EINVAL'],
    ['1;2', 'EINVAL'],
    ['"1 2"', 'EINVAL'],
    ["''", 'EINVAL'],
    ['1\\x2d3', 'EINVAL'],
    ['010', '8'],
    ['0x10-0x12 +3', '3,16-18'],
    ['0b11', '3'],
    ['0o7', '7'],
    ['"3"4', '34'],
    ['+1-+3', '1-3'],
  ])('%j is %j', (text, expected) => {
    expect(outcome(() => parseSystemdList(text, 'AllowedCPUs'))).toBe(expected);
  });

  it('what systemctl shows is read back, whatever the set', () => {
    fc.assert(
      fc.property(sets, (set) => {
        expect(printSystemdList(set)).not.toContain(',');
        expect(parseSystemdList(printSystemdList(set), 'AllowedCPUs')).toEqual(set);
      }),
    );
  });
});

describe('the list of the kubelet', () => {
  it.each([
    ['', ''],
    ['5', '5'],
    ['1,2,3,4,5', '1-5'],
    ['1-5', '1-5'],
    ['1-2,3-5', '1-5'],
    ['5,4,3,2,1', '1-5'],
    ['3-6,1-5', '1-6'],
    ['3-3,5-5', '3,5'],
    ['007', '7'],
    ['3-1', 'EINVAL'],
    ['1,2,', 'EINVAL'],
    ['1 2', 'EINVAL'],
    ['1, 2', 'EINVAL'],
    ['1--3', 'EINVAL'],
    ['-1', 'EINVAL'],
    ['0x3', 'EINVAL'],
    ['0-3:1/2', 'EINVAL'],
    ['nonnumeric', 'EINVAL'],
    ['non-numeric', 'EINVAL'],
    ['8192', 'ERANGE'],
  ])('%j is %j', (text, expected) => {
    expect(outcome(() => parseKubeletList(text, 'reservedSystemCPUs'))).toBe(expected);
  });

  it('what the kernel prints is a list of the kubelet', () => {
    fc.assert(
      fc.property(sets, (set) => {
        expect(parseKubeletList(printIndexSet(set), 'cpus')).toEqual(set);
      }),
    );
  });
});
