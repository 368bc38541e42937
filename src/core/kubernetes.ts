import { badInput, quote } from './errors.ts';

/** A Kubernetes CPU quantity in thousandths of a CPU: `1500m`, `1.5`, `2`. */
export function parseCpuQuantity(text: string): bigint {
  const trimmed = text.trim();
  const milli = /^(\d+)m$/.exec(trimmed);
  const plain = /^(\d+)(?:\.(\d{1,3}))?$/.exec(trimmed);
  const value = milli
    ? BigInt(milli[1] ?? '0')
    : plain
      ? BigInt(plain[1] ?? '0') * 1000n + BigInt((plain[2] ?? '').padEnd(3, '0'))
      : undefined;
  if (value === undefined) {
    throw badInput(`${quote(text)} is not an amount of CPU`, 'write 50%, 1.5 (CPUs) or 1500m (thousandths of a CPU)');
  }
  if (value === 0n) throw badInput(`${quote(text)} of CPU would stop the job for ever`, 'write at least 1m');
  return value;
}

/**
 * The cpu.shares that the kubelet makes of a request (pkg/kubelet/cm: MilliCPUToShares): 1000m → 1024, at least 2,
 * at most 262144.
 */
export function cpuRequestToShares(milli: bigint): bigint {
  const shares = (milli * 1024n) / 1000n;
  return shares < 2n ? 2n : shares > 262_144n ? 262_144n : shares;
}

/**
 * cpu.shares to cpu.weight as runc does it since 1.3.2 (opencontainers/cgroups ConvertCPUSharesToCgroupV2Value):
 * a quadratic in log2 that keeps 2 → 1, 1024 → 100 and 262144 → 10000.
 */
export function sharesToWeight(shares: bigint): bigint {
  if (shares <= 2n) return 1n;
  if (shares >= 262_144n) return 10_000n;
  const l = Math.log2(Number(shares));
  return BigInt(Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34)));
}

/** `--cpu-request 50m` as CPUWeight. */
export function cpuRequestToWeight(milli: bigint): bigint {
  return sharesToWeight(cpuRequestToShares(milli));
}
