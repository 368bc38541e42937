import type { InForce } from './proof.ts';

/** What the job may use: whole CPUs (at least 1) and bytes. */
export interface Allowance {
  readonly cpus: number;
  readonly memory: bigint | undefined;
}

/** Microseconds of CPU time per second. */
const ONE_CPU = 1_000_000;
const MEBIBYTE = 1024n * 1024n;

/** From the limits in force, those of the groups above included. Without any, the machine's CPUs count. */
export function allowance(inForce: readonly InForce[], onlineCpus: number): Allowance {
  const counts = [onlineCpus];
  const sizes: bigint[] = [];
  for (const { limit, value } of inForce) {
    if (limit === 'CPUQuota' && typeof value === 'bigint') counts.push(Math.ceil(Number(value) / ONE_CPU));
    if (limit === 'AllowedCPUs' && Array.isArray(value)) counts.push(value.length);
    if ((limit === 'MemoryHigh' || limit === 'MemoryMax') && typeof value === 'bigint') sizes.push(value);
  }
  const memory = sizes.length === 0 ? undefined : sizes.reduce((a, b) => (a < b ? a : b));
  return { cpus: Math.max(1, Math.min(...counts)), memory };
}

/**
 * The variables by which programs learn how much they may use instead of looking at the whole machine. Never one that the
 * caller has set.
 *
 * Threads: OpenMP 5.2 (4.2.2; nproc(1) obeys it too), OpenBLAS, MKL, Go runtime, libuv, rayon, tokio, Julia, Polars,
 * CPython 3.13, make(1), Cargo, CMake. Memory: Go's soft limit takes nine tenths, since it does not count the runtime's
 * own and C memory; V8's old space takes three quarters for the same reason; the JVM is told the whole and takes its
 * own share of it.
 */
export function limitsEnv({ cpus, memory }: Allowance, callers: NodeJS.ProcessEnv): Record<string, string> {
  const n = `${cpus}`;
  const wanted: Record<string, string> = {
    OMP_NUM_THREADS: n,
    OPENBLAS_NUM_THREADS: n,
    MKL_NUM_THREADS: n,
    NUMEXPR_NUM_THREADS: n,
    GOMAXPROCS: n,
    UV_THREADPOOL_SIZE: n,
    RAYON_NUM_THREADS: n,
    TOKIO_WORKER_THREADS: n,
    JULIA_NUM_THREADS: n,
    POLARS_MAX_THREADS: n,
    PYTHON_CPU_COUNT: n,
    MAKEFLAGS: `-j${n}`,
    CARGO_BUILD_JOBS: n,
    CMAKE_BUILD_PARALLEL_LEVEL: n,
    JAVA_TOOL_OPTIONS: [
      `-XX:ActiveProcessorCount=${n}`,
      ...(memory === undefined ? [] : [`-XX:MaxRAM=${memory}`]),
    ].join(' '),
  };
  if (memory !== undefined) {
    wanted.GOMEMLIMIT = `${(memory * 9n) / 10n}`;
    const oldSpace = (memory * 3n) / 4n / MEBIBYTE;
    wanted.NODE_OPTIONS = `--max-old-space-size=${oldSpace < 16n ? 16n : oldSpace}`;
  }
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => callers[name] === undefined));
}
