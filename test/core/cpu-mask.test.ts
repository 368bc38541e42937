import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCpuMask, printCpuMask } from '../../src/core/cpu-mask.ts';
import { MAX_INDEX, printIndexSet } from '../../src/core/cpuset.ts';
import { refusal } from './support.ts';

describe('the mask of the kernel', () => {
  // Written to rps_cpus of a network namespace of its own on kernel 6.18 with CPUs 0 and 1.
  it.each([
    ['1', '0'],
    ['3', '0-1'],
    ['0', ''],
    ['', ''],
    ['00000003', '0-1'],
    [',3', '0-1'],
    ['3,', '0-1'],
    ['3 ', '0-1'],
    ['3\n4', '0-1'],
  ])('%j is %j where the last CPU is 1', (text, expected) => {
    expect(printIndexSet(parseCpuMask(text, 'smp_affinity', 1))).toBe(expected);
  });

  it.each([
    ['4', 'EOVERFLOW', 'CPU 2 is above 1, the last one here'],
    ['f', 'EOVERFLOW', 'CPU 3 is above 1, the last one here'],
    ['0,3', 'EOVERFLOW', 'it has 2 chunks of 32 bits where 1 will do'],
    ['000000003', 'EOVERFLOW', '"000000003" has more than 32 bits'],
    ['x', 'EINVAL', '"x" is not hexadecimal'],
    ['0x1', 'EINVAL', '"0x1" is not hexadecimal'],
  ])('%j is refused with %s', (text, errno, why) => {
    const error = refusal(() => parseCpuMask(text, 'smp_affinity', 1));
    expect(error.data.errno).toBe(errno);
    expect(error.message).toContain(why);
  });

  // cpumask of workqueues, default_smp_affinity and smp_affinity: kernels 6.12 and 6.18 with 2, 8 and 256 CPUs.
  it.each([
    [[0, 1], 1, '3'],
    [[0, 1, 2, 3, 4, 5], 7, '3f'],
    [[], 7, '00'],
    [[0, 1, 2, 3, 32, 33], 33, '3,0000000f'],
    [[], 31, '00000000'],
    [[64], 64, '1,00000000,00000000'],
    [[31, 63], 63, '80000000,80000000'],
    [[255], 255, '80000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000'],
  ])('%j up to CPU %i is %j', (set, last, text) => {
    expect(printCpuMask(set, last)).toBe(text);
    expect(parseCpuMask(text, 'smp_affinity', last)).toEqual(set);
  });

  it('every set comes back from its text', () => {
    const sets = fc.uniqueArray(fc.nat(MAX_INDEX), { maxLength: 100 }).map((set) => set.sort((a, b) => a - b));
    fc.assert(
      fc.property(sets, fc.nat(40), (set, more) => {
        const last = (set.at(-1) ?? 0) + more;
        expect(parseCpuMask(`${printCpuMask(set, last)}\n`, 'smp_affinity', last)).toEqual(set);
      }),
    );
  });
});
