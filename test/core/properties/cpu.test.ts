import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { periodFor, quotaPerPeriod, sharesOf } from '../../../src/core/properties/cpu.ts';
import { files, isShown, MACHINE, rowNamed, writes } from '../support.ts';

const quota = rowNamed('CPUQuota');
const weight = rowNamed('CPUWeight');
const period = rowNamed('CPUQuotaPeriodSec');

/** The step in which each keeper counts, in µs per second. */
const STEPS = [
  [252, 10_000n],
  [255, 10_000n],
  [256, 100n],
  [259, 100n],
  [undefined, 10n],
] as const;

describe('the rounding of CPUQuota', () => {
  it.each(STEPS)('for systemd %s goes up, by less than a step, to a whole step', (systemd, step) => {
    fc.assert(
      fc.property(fc.bigInt(1n, 200_000_000n), (value) => {
        const settled = quota.settle?.(value, { systemd, pageSize: 4096n }).value;
        if (typeof settled !== 'bigint') throw new Error('a quota stays a quota');
        expect(settled % step).toBe(0n);
        expect(settled >= value).toBe(true);
        expect(settled - value < step).toBe(true);
      }),
    );
  });

  it.each([
    ['33.33%', 255, 340_000n, 'rounded up to 34%: systemd 255 keeps it in steps of 1%'],
    ['0.5%', 252, 10_000n, 'rounded up to 1%: systemd 252 keeps it in steps of 1%'],
    ['33.33%', 256, 333_300n, undefined],
    ['50%', 252, 500_000n, undefined],
    ['33.33%', undefined, 333_300n, undefined],
    ['infinity', 252, 'infinity', undefined],
  ] as const)('takes %s on systemd %s as %s', (text, systemd, value, note) => {
    const settled = quota.settle?.(quota.parse(text, MACHINE), { systemd, pageSize: 4096n });
    expect(settled).toEqual(note === undefined ? { value } : { value, note });
  });

  it('says the step of 256 and of plain cgroups as a percentage', () => {
    const odd = 333_333n;
    expect(quota.settle?.(odd, { systemd: 256, pageSize: 4096n }).note).toContain(
      'systemd 256 keeps it in steps of 0.01%',
    );
    expect(quota.settle?.(odd, { systemd: undefined, pageSize: 4096n })).toEqual({
      value: 333_340n,
      note: 'rounded up to 33.334%: the kernel counts in microseconds per period',
    });
  });
});

describe('CPUQuota as text', () => {
  it('of every hundredth of a percent up to three CPUs comes back', () => {
    for (let permyriad = 1n; permyriad <= 30_000n; permyriad += 1n) {
      const value = permyriad * 100n;
      if (quota.parse(quota.print(value), MACHINE) !== value) throw new Error(`${quota.print(value)} is not ${value}`);
    }
  });

  it.each([
    ['1.5', 1_500_000n],
    ['1500m', 1_500_000n],
    ['2', 2_000_000n],
    ['50%', 500_000n],
    ['infinity', 'infinity'],
  ] as const)('--cpu %s is %s', (text, value) => {
    expect(quota.flags.find(({ name }) => name === '--cpu')?.parse(text, MACHINE)).toBe(value);
  });
});

describe('the period of the quota', () => {
  // systemd src/test/test-cgroup-cpu.c, test_cgroup_cpu_adjust_period: resolution 1 ms, at most 1 s.
  it.each([
    [400_000n, 100_000n, 100_000n],
    [10_000n, 100_000n, 100_000n],
    [5_000n, 100_000n, 200_000n],
    [1_000n, 100_000n, 1_000_000n],
    [100n, 100_000n, 1_000_000n],
    [4_000_000n, 100n, 1_000n],
    [3_000n, 100_000n, 333_333n],
    [400_000n, 2_000_000n, 1_000_000n],
    [400_000n, 1_000n, 2_500n],
  ])('for a quota of %i µs/s and a wish of %i µs is %i µs', (value, wish, expected) => {
    expect(periodFor(value, wish)).toBe(expected);
  });

  it('is systemd’s MIN(MAX3(period, 1 ms, 1 ms * 1 s / quota), 1 s), and never leaves 1 ms to 1 s', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 1n << 40n), fc.bigInt(0n, 1n << 40n), (value, wish) => {
        const least = [wish, 1_000n, (1_000n * 1_000_000n) / value].reduce((a, b) => (a > b ? a : b));
        expect(periodFor(value, wish)).toBe(least < 1_000_000n ? least : 1_000_000n);
        expect(quotaPerPeriod(value, periodFor(value, wish)) >= 1_000n).toBe(true);
      }),
    );
  });
});

describe('cpu.max', () => {
  // The kernel's own file has "$MAX $PERIOD" (Documentation/admin-guide/cgroup-v2.rst).
  it.each([
    [{ CPUQuota: '50%' }, '50000 100000'],
    [{ CPUQuota: '200%' }, '200000 100000'],
    [{ CPUQuota: '1%' }, '1000 100000'],
    [{ CPUQuota: '0.5%' }, '1000 200000'],
    [{ CPUQuota: '0.01%' }, '1000 1000000'],
    [{ CPUQuota: '50%', CPUQuotaPeriodSec: '10ms' }, '5000 10000'],
    [{ CPUQuota: '5%', CPUQuotaPeriodSec: '10ms' }, '1000 20000'],
    [{ CPUQuota: 'infinity' }, 'max 100000'],
  ])('for %j is %j', (texts, content) => {
    expect(writes('v2', 'CPUQuota', texts)).toMatchObject([{ controller: 'cpu', file: 'cpu.max', text: content }]);
    expect(isShown(writes('v2', 'CPUQuota', texts)[0] ?? expect.fail(), `${content}\n`)).toBe(true);
  });

  it('takes the period alone only when no quota brings it', () => {
    expect(writes('v2', 'CPUQuotaPeriodSec', { CPUQuotaPeriodSec: '10ms' })).toMatchObject([{ text: 'max 10000' }]);
    expect(writes('v2', 'CPUQuotaPeriodSec', { CPUQuotaPeriodSec: '10ms', CPUQuota: '5%' })).toEqual([]);
    expect(writes('v1', 'CPUQuotaPeriodSec', { CPUQuotaPeriodSec: '10ms', CPUQuota: '5%' })).toEqual([]);
  });

  it('without a quota proves "no quota" at whatever period systemd leaves', () => {
    const [write] = writes('v2', 'CPUQuota', { CPUQuota: 'infinity', CPUQuotaPeriodSec: '10ms' });
    if (!write) throw new Error('nothing was written');
    expect(isShown(write, 'max 100000\n')).toBe(true);
    expect(isShown(write, '50000 100000\n')).toBe(false);
  });

  it.each([
    ['max 100000\n', 'infinity', 100_000n],
    ['50000 100000\n', 500_000n, 100_000n],
    ['1000 200000\n', 5_000n, 200_000n],
    ['150000 50000\n', 3_000_000n, 50_000n],
  ] as const)('%j reads as %s with the period %i', (content, value, wish) => {
    expect(quota.v2?.read(files({ 'cpu.max': content }))).toBe(value);
    expect(period.v2?.read(files({ 'cpu.max': content }))).toBe(wish);
  });

  it('that is absent, as in the root group, reads as nothing', () => {
    expect(quota.v2?.read(files({}))).toBeUndefined();
    expect(period.v2?.read(files({}))).toBeUndefined();
  });

  it('of any settled quota of a plain cgroup reads back as it was', () => {
    fc.assert(
      fc.property(fc.bigInt(1_000n, 1_000_000n), (tens) => {
        const value = tens * 10n;
        const [write] = quota.v2?.write(value, { limits: {}, devices: new Map() }) ?? [];
        expect(quota.v2?.read(files({ 'cpu.max': write?.text ?? '' }))).toBe(value);
      }),
    );
  });
});

describe('the files of the v1 cpu controller', () => {
  it.each([
    [{ CPUQuota: '50%' }, ['100000', '50000']],
    [{ CPUQuota: '0.5%' }, ['200000', '1000']],
    [{ CPUQuota: 'infinity' }, ['100000', '-1']],
    [{ CPUQuota: '50%', CPUQuotaPeriodSec: '250ms' }, ['250000', '125000']],
  ])('take %j as period and quota %j, the period first', (texts, contents) => {
    const found = writes('v1', 'CPUQuota', texts);
    expect(found.map(({ file }) => file)).toEqual(['cpu.cfs_period_us', 'cpu.cfs_quota_us']);
    expect(found.map(({ text }) => text)).toEqual(contents);
  });

  it.each([
    ['-1\n', '100000\n', 'infinity'],
    ['50000\n', '100000\n', 500_000n],
    ['1000\n', '200000\n', 5_000n],
  ] as const)('with quota %j and period %j read as %s', (us, span, value) => {
    expect(quota.v1?.read(files({ 'cpu.cfs_quota_us': us, 'cpu.cfs_period_us': span }))).toBe(value);
  });

  // systemd: cgroup_weight_apply_legacy over weight to shares; 1 → 10 and idle → 2 (src/core/cgroup.c).
  it.each([
    [1n, 10n],
    [10n, 102n],
    [50n, 512n],
    [100n, 1024n],
    [200n, 2048n],
    [1000n, 10_240n],
    [10_000n, 102_400n],
    ['idle', 2n],
  ] as const)('weight %s is %i shares', (value, shares) => {
    expect(sharesOf(value)).toBe(shares);
    expect(writes('v1', 'CPUWeight', { CPUWeight: `${value}` })[0]?.text).toBe(`${shares}`);
  });

  it('give every weight back, and a weight for any shares', () => {
    const read = (shares: bigint) => weight.v1?.read(files({ 'cpu.shares': `${shares}\n` }));
    for (let value = 1n; value <= 10_000n; value += 1n) if (read(sharesOf(value)) !== value) expect.fail(`${value}`);
    expect(read(2n)).toBe('idle');
    expect(read(262_144n)).toBe(10_000n);
  });
});

describe('cpu.weight', () => {
  it.each([
    ['50', { file: 'cpu.weight', text: '50' }],
    ['idle', { file: 'cpu.idle', text: '1' }],
  ])('for CPUWeight=%s is %j', (text, write) => {
    expect(writes('v2', 'CPUWeight', { CPUWeight: text })).toMatchObject([write]);
  });

  it.each([
    [{ 'cpu.weight': '100\n', 'cpu.idle': '0\n' }, 100n],
    [{ 'cpu.weight': '100\n' }, 100n],
    [{ 'cpu.weight': '0\n', 'cpu.idle': '1\n' }, 'idle'],
    [{}, undefined],
  ] as const)('reads %j as %s', (contents, value) => {
    expect(weight.v2?.read(files(contents))).toBe(value);
  });
});
