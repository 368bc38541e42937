import { describe, expect, it } from 'vitest';
import { PROPERTIES } from '../../src/core/properties/table.ts';
import { nearest } from '../../src/core/suggest.ts';

const NAMES = PROPERTIES.map((row) => row.name);

describe('the nearest name', () => {
  it.each([
    ['MemoryMx', 'MemoryMax'],
    ['memorymax', 'MemoryMax'],
    ['MemorySwap', 'MemorySwapMax'],
    ['CPUQouta', 'CPUQuota'],
    ['CpuQuota', 'CPUQuota'],
    ['TaskMax', 'TasksMax'],
    ['AllowedCPU', 'AllowedCPUs'],
    ['IOReadIOPS', 'IOReadIOPSMax'],
    ['RuntimeMax', 'RuntimeMaxSec'],
  ])('to %j is %s', (word, name) => {
    expect(nearest(word, NAMES)).toBe(name);
  });

  it.each(['Nonsense', 'x', '', 'ExecStart'])('to %j is none', (word) => {
    expect(nearest(word, NAMES)).toBeUndefined();
  });

  it('of no candidates is none', () => {
    expect(nearest('a', [])).toBeUndefined();
  });

  it('of every property is the property itself', () => {
    for (const name of NAMES) expect(nearest(name, NAMES)).toBe(name);
  });
});
