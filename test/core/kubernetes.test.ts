import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuRequestToShares, cpuRequestToWeight, parseCpuQuantity, sharesToWeight } from '../../src/core/kubernetes.ts';
import { refusal } from './support.ts';

describe('a Kubernetes amount of CPU', () => {
  it.each([
    ['1500m', 1500n],
    ['1.5', 1500n],
    ['2', 2000n],
    ['0.05', 50n],
    ['0.001', 1n],
    ['50m', 50n],
    [' 1 ', 1000n],
  ])('%j is %i thousandths', (text, milli) => {
    expect(parseCpuQuantity(text)).toBe(milli);
  });

  it.each(['', 'm', '1.5m', '1.2345', '-1', '50 m', '1,5', '1e3', 'half', '50%'])('%j is refused', (text) => {
    const error = refusal(() => parseCpuQuantity(text));
    expect(error).toMatchObject({
      code: 'E_INPUT',
      hint: 'write 50%, 1.5 (CPUs) or 1500m (thousandths of a CPU)',
    });
    expect(error.message).toContain(JSON.stringify(text));
  });

  it.each(['0', '0m', '0.000'])('%j is refused since it would stop the job', (text) => {
    expect(refusal(() => parseCpuQuantity(text)).hint).toBe('write at least 1m');
  });

  // kubernetes pkg/kubelet/cm/helpers_linux_test.go, TestMilliCPUToShares, and the bounds of the same file.
  it.each([
    [0n, 2n],
    [1n, 2n],
    [2n, 2n],
    [3n, 3n],
    [100n, 102n],
    [200n, 204n],
    [1000n, 1024n],
    [1500n, 1536n],
    [256_000n, 262_144n],
    [1_000_000n, 262_144n],
  ])('of %i thousandths asks for %i shares', (milli, shares) => {
    expect(cpuRequestToShares(milli)).toBe(shares);
  });
});

describe('cpu.shares as cpu.weight', () => {
  // opencontainers/cgroups utils_test.go, TestConvertCPUSharesToCgroupV2Value.
  it.each([
    [2n, 1n],
    [3n, 2n],
    [100n, 17n],
    [200n, 29n],
    [256n, 35n],
    [512n, 59n],
    [1024n, 100n],
    [2048n, 174n],
    [3333n, 256n],
    [22_000n, 1204n],
    [260_000n, 9929n],
    [262_144n, 10_000n],
    [1_000_000n, 10_000n],
  ])('%i shares are weight %i', (shares, weight) => {
    expect(sharesToWeight(shares)).toBe(weight);
  });

  it('never leaves 1 to 10000 and never falls when shares rise', () => {
    fc.assert(
      fc.property(fc.bigInt(2n, 300_000n), (shares) => {
        const weight = sharesToWeight(shares);
        expect(weight >= 1n && weight <= 10_000n).toBe(true);
        expect(sharesToWeight(shares + 1n) >= weight).toBe(true);
      }),
    );
  });

  it.each([
    [1000n, 100n],
    [500n, 59n],
    [50n, 11n],
    [1n, 1n],
    [256_000n, 10_000n],
  ])('a request of %i thousandths is weight %i', (milli, weight) => {
    expect(cpuRequestToWeight(milli)).toBe(weight);
  });
});
