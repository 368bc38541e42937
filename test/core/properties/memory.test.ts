import { describe, expect, it } from 'vitest';
import type { LimitName } from '../../../src/core/properties/row.ts';
import { files, isShown, MACHINE, rowNamed, writes } from '../support.ts';

/** What a v1 counter shows without a limit: LONG_MAX rounded down to pages of 4 KiB, and of 64 KiB. */
const SENTINEL = '9223372036854771712\n';
const SENTINEL_64K = '9223372036854710272\n';

describe('memory files of cgroup v2', () => {
  it.each([
    ['MemoryMin', 'memory.min'],
    ['MemoryLow', 'memory.low'],
    ['MemoryHigh', 'memory.high'],
    ['MemoryMax', 'memory.max'],
    ['MemorySwapMax', 'memory.swap.max'],
    ['MemoryZSwapMax', 'memory.zswap.max'],
  ] as const)('hold %s in %s', (name: LimitName, file) => {
    const [write, ...rest] = writes('v2', name, { [name]: '1G' });
    expect(rest).toEqual([]);
    expect(write).toMatchObject({ controller: 'memory', file, text: '1073741824' });
    expect(writes('v2', name, { [name]: 'infinity' })).toMatchObject([{ file, text: 'max' }]);
    expect(rowNamed(name).v2?.read(files({ [file]: '1073741824\n' }))).toBe(1_073_741_824n);
    expect(rowNamed(name).v2?.read(files({ [file]: 'max\n' }))).toBe('infinity');
    expect(rowNamed(name).v2?.read(files({}))).toBeUndefined();
  });

  it('show a limit only when it is the one that was asked', () => {
    const [write] = writes('v2', 'MemoryMax', { MemoryMax: '1G' });
    if (!write) throw new Error('nothing was written');
    expect(isShown(write, '1073741824\n')).toBe(true);
    expect(isShown(write, '1073741823\n')).toBe(false);
    expect(isShown(write, 'max\n')).toBe(false);
  });

  it('show a limit of 8 EiB as the kernel does, which has no larger number than "max"', () => {
    const [write] = writes('v2', 'MemoryMax', { MemoryMax: '8E' });
    if (!write) throw new Error('nothing was written');
    expect(isShown(write, 'max\n')).toBe(true);
  });
});

describe('memory on cgroup v1', () => {
  const memory = rowNamed('MemoryMax');
  const swap = rowNamed('MemorySwapMax');

  it('has no file for protections, MemoryHigh and zswap', () => {
    for (const name of ['MemoryMin', 'MemoryLow', 'MemoryHigh', 'MemoryZSwapMax'] as const) {
      expect(rowNamed(name).v1).toBeUndefined();
    }
  });

  it.each([SENTINEL, SENTINEL_64K, '-1\n'])('reads %j as no limit', (content) => {
    expect(memory.v1?.read(files({ 'memory.limit_in_bytes': content }))).toBe('infinity');
  });

  it('lifts a limit with -1 and proves it by the sentinel', () => {
    const [write] = writes('v1', 'MemoryMax', { MemoryMax: 'infinity' });
    expect(write).toMatchObject({ file: 'memory.limit_in_bytes', text: '-1' });
    expect(write && isShown(write, SENTINEL)).toBe(true);
    expect(write && isShown(write, '4096\n')).toBe(false);
  });

  // Documentation/admin-guide/cgroup-v1/memory.rst, 2.4: memsw counts memory and swap together.
  it.each([
    [{ MemoryMax: '1G', MemorySwapMax: '512M' }, '1610612736', '1610612736\n', true],
    [{ MemoryMax: '1G', MemorySwapMax: '0' }, '1073741824', '1073741824\n', true],
    [{ MemoryMax: '1G', MemorySwapMax: '0' }, '1073741824', SENTINEL, false],
    [{ MemoryMax: '1G', MemorySwapMax: 'infinity' }, '-1', SENTINEL, true],
    [{ MemorySwapMax: 'infinity' }, '-1', SENTINEL, true],
    [{ MemorySwapMax: '0' }, '-1', SENTINEL, false],
    [{ MemoryMax: 'infinity', MemorySwapMax: '1G' }, '-1', SENTINEL, false],
  ])('writes the swap of %j as %s, and with %j in the file it is in force: %s', (texts, text, content, held) => {
    const [write] = writes('v1', 'MemorySwapMax', texts);
    expect(write).toMatchObject({ file: 'memory.memsw.limit_in_bytes', text });
    expect(write && isShown(write, content)).toBe(held);
  });

  it.each([
    ['1073741824\n', '1610612736\n', 536_870_912n],
    ['1073741824\n', '1073741824\n', 0n],
    ['1073741824\n', SENTINEL, 'infinity'],
    [SENTINEL, SENTINEL, 'infinity'],
    ['1073741824\n', undefined, undefined],
  ] as const)('reads memory %j and memory with swap %j as swap %s', (limit, both, value) => {
    const contents = { 'memory.limit_in_bytes': limit, ...(both && { 'memory.memsw.limit_in_bytes': both }) };
    expect(swap.v1?.read(files(contents))).toBe(value);
  });
});

describe('a percentage of memory', () => {
  it.each([
    ['25%', 4n << 30n],
    ['100%', 16n << 30n],
    ['0.01%', 1_717_986n],
  ])('%s of 16 GiB is %i bytes', (text, bytes) => {
    expect(rowNamed('MemoryMax').parse(text, MACHINE)).toBe(bytes);
  });
});

describe('the rounding of memory', () => {
  it.each([
    [1_000_000n, 999_424n, 'rounded down to 999424 bytes: the kernel counts memory in pages of 4096 bytes'],
    [8192n, 8192n, undefined],
  ])('of %i bytes gives %i', (value, whole, note) => {
    const settled = rowNamed('MemoryMax').settle?.(value, { systemd: 252, pageSize: 4096n });
    expect(settled).toEqual(note === undefined ? { value: whole } : { value: whole, note });
  });

  it('never makes "no memory at all" of a limit that was accepted', () => {
    const row = rowNamed('MemoryMax');
    const value = row.parse(`${MACHINE.pageSize}`, MACHINE);
    expect(row.settle?.(value, { systemd: undefined, pageSize: MACHINE.pageSize }).value).toBe(4096n);
  });
});
