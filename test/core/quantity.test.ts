import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  approximateSize,
  parsePermyriad,
  parseShareOf,
  parseSize,
  parseWhole,
  printSize,
  U64_MAX,
} from '../../src/core/quantity.ts';
import { refusal } from './support.ts';

describe('a size', () => {
  // systemd src/test/test-parse-util.c, parse_size.
  it.each([
    ['111', 1024, 111n],
    ['111.4', 1024, 111n],
    ['0', 1024, 0n],
    ['1K', 1024, 1024n],
    ['1.5K', 1024, 1536n],
    ['1.5M', 1024, 1_572_864n],
    ['1G', 1024, 1_073_741_824n],
    ['1G', 1000, 1_000_000_000n],
    ['10M', 1000, 10_000_000n],
    ['2.5E', 1024, 2_882_303_761_517_117_440n],
    ['1 G', 1024, 1_073_741_824n],
    [' 1G ', 1024, 1_073_741_824n],
    ['512B', 1024, 512n],
    ['18446744073709551614', 1024, U64_MAX - 1n],
    // Kubernetes' binary suffix means powers of 1024 everywhere.
    ['512Mi', 1024, 536_870_912n],
    ['1Ki', 1000, 1024n],
  ] as const)('%j in powers of %i is %s', (text, base, bytes) => {
    expect(parseSize(text, base, 'MemoryMax')).toBe(bytes);
  });

  it.each([
    ['1g', 1024, 'write 1G: suffixes are upper-case K M G T P E'],
    ['512mb', 1024, 'write 512M: suffixes are upper-case K M G T P E'],
    ['1.5gi', 1024, 'write 1.5G: suffixes are upper-case K M G T P E'],
    ['-1G', 1024, 'a size cannot be negative; write infinity for no limit'],
    ['', 1024, 'write a number with K M G T P E (powers of 1024), such as 512M or 1.5G'],
    ['lots', 1000, 'write a number with K M G T P E (powers of 1000), such as 10M'],
    ['1X', 1024, 'write a number with K M G T P E (powers of 1024), such as 512M or 1.5G'],
    ['1,5G', 1024, 'write a number with K M G T P E (powers of 1024), such as 512M or 1.5G'],
    ['0x10', 1024, 'write a number with K M G T P E (powers of 1024), such as 512M or 1.5G'],
    ['16E', 1024, 'write infinity'],
    ['18446744073709551615', 1024, 'write infinity'],
  ] as const)('%j is refused with a hint', (text, base, hint) => {
    const error = refusal(() => parseSize(text, base, 'MemoryMax'));
    expect(error).toMatchObject({ code: 'E_INPUT', hint });
    expect(error.message).toContain(`MemoryMax=${JSON.stringify(text)}`);
  });

  it('comes back from its printed form in both bases', () => {
    const exponents = fc.nat(6);
    const factors = fc.bigInt(0n, 1_000_000n);
    fc.assert(
      fc.property(fc.constantFrom(1000 as const, 1024 as const), exponents, factors, (base, power, factor) => {
        const size = factor * BigInt(base) ** BigInt(power);
        fc.pre(size < U64_MAX);
        expect(parseSize(printSize(size, base), base, 'x')).toBe(size);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt(0n, U64_MAX - 1n), (size) => {
        expect(parseSize(printSize(size, 1024), 1024, 'x')).toBe(size);
      }),
    );
  });

  it.each([
    [1_073_741_824n, 1024, '1G'],
    [1_610_612_736n, 1024, '1536M'],
    [5_000_000n, 1024, '5000000'],
    [5_000_000n, 1000, '5M'],
    [0n, 1024, '0'],
    ['infinity', 1024, 'infinity'],
  ] as const)('of %s in powers of %i prints as %s', (size, base, text) => {
    expect(printSize(size, base)).toBe(text);
  });

  it.each([
    [0n, '0B'],
    [512n, '512B'],
    [1024n, '1K'],
    [3_355_443n, '3.2M'],
    [134_217_728n, '128M'],
    [10_737_418_240n, '10G'],
  ])('of %s bytes is told to people as %s', (size, text) => {
    expect(approximateSize(size)).toBe(text);
  });
});

describe('a percentage', () => {
  it.each([
    ['50%', 5_000n],
    ['12.5%', 1_250n],
    ['0.01%', 1n],
    ['200%', 20_000n],
    ['5‰', 50n],
    ['7‱', 7n],
    [' 50% ', 5_000n],
  ])('%j is %i hundredths of a percent', (text, permyriad) => {
    expect(parsePermyriad(text)).toBe(permyriad);
  });

  it.each(['50', '50.123%', '-5%', '%', '50 %', '5e1%', '.5%'])('is not what %j is', (text) => {
    expect(parsePermyriad(text)).toBeUndefined();
  });

  it('of the machine is rounded down and never passes the whole', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.bigInt(1n, 1n << 50n), (permyriad, whole) => {
        const text = `${Math.floor(permyriad / 100)}.${`${permyriad % 100}`.padStart(2, '0')}%`;
        const share = parseShareOf(text, whole, 'x') ?? -1n;
        expect(share * 10_000n <= whole * BigInt(permyriad)).toBe(true);
        expect((share + 1n) * 10_000n > whole * BigInt(permyriad)).toBe(true);
      }),
    );
  });

  it('above the whole machine is refused', () => {
    expect(refusal(() => parseShareOf('100.01%', 1n, 'MemoryMax'))).toMatchObject({
      code: 'E_INPUT',
      message: 'MemoryMax=100.01% is more than the whole machine',
      hint: 'write at most 100%',
    });
  });
});

describe('a whole number', () => {
  it.each(['1', '10000', ' 50 '])('%j is within 1 to 10000', (text) => {
    expect(parseWhole(text, 1n, 10_000n, 'CPUWeight')).toBe(BigInt(text.trim()));
  });

  it.each(['0', '10001', '1.5', '-1', '', 'ten', '1K', '99999999999999999999'])('%j is refused', (text) => {
    expect(refusal(() => parseWhole(text, 1n, 10_000n, 'CPUWeight'))).toMatchObject({
      code: 'E_INPUT',
      hint: 'write 1 to 10000',
    });
  });
});
