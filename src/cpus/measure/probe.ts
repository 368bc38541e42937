import { writeFileSync } from 'node:fs';
import { parseIndexSet } from '../../core/cpuset.ts';
import { errnoOf } from '../../core/errors.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import { Histogram } from './histogram.ts';
import type { ProbeFloor, ProbeResult } from './model.ts';
import { type Deadlines, type ProbeClock, wakeUps } from './wake-ups.ts';

export interface ProbePlan {
  readonly cpu: number;
  readonly seconds: number;
  /** By how much its deadlines lie behind those of the first probe, so that probes do not all wake at one moment. */
  readonly phaseNs: number;
}

/** As cyclictest has it by default. */
export const INTERVAL_NS = 1_000_000;
/** A twentieth of the interval: enough to see gaps, and little load for the other thread of the core. */
const SPIN_NS = 50_000;
/** Enough for the compiler to be done with the loop. */
const WARM_UP = { intervalNs: 200_000, count: 3000, spinNs: 20_000 };
const CALIBRATION = { intervalNs: INTERVAL_NS, count: 300, spinNs: SPIN_NS };
const CLOCK_READINGS = 20_000;
const START_NS = 20_000_000;

/** What the probe finds out about itself; the caller adds how many collections there were. */
export type Finding = Omit<ProbeResult, 'collections'>;

/** A probe that is warm and knows its floor; `run` measures. */
export interface WarmProbe {
  run(): Finding;
}

/** Sets up a probe on the CPU that the calling process is pinned to, which takes about a second. */
export function warmProbe(paths: HostPaths, clock: ProbeClock, plan: ProbePlan): WarmProbe {
  const slackNs = leastSlack(paths);
  const late = new Histogram();
  const gap = new Float64Array(2);
  const from = (deadlines: Omit<Deadlines, 'firstNs'>): Deadlines => {
    const first = Math.ceil((clock.now() + START_NS) / INTERVAL_NS) * INTERVAL_NS;
    return { ...deadlines, firstNs: first + plan.phaseNs };
  };
  wakeUps(clock, from(WARM_UP), late, gap);
  late.clear();
  wakeUps(clock, from(CALIBRATION), late, gap);
  const floor: ProbeFloor = { clockNs: clockCost(clock), wakeNs: late.distribution().minNs, slackNs };
  return {
    run: () => {
      late.clear();
      gap.fill(0);
      const before = readOwn(paths);
      const count = Math.round((plan.seconds * 1e9) / INTERVAL_NS);
      wakeUps(clock, from({ intervalNs: INTERVAL_NS, count, spinNs: SPIN_NS }), late, gap);
      const after = readOwn(paths);
      const [largestNs = 0, watchedNs = 0] = gap;
      return {
        cpu: plan.cpu,
        late: late.distribution(),
        gap: { largestNs, watchedNs },
        floor,
        involuntary: after.involuntary - before.involuntary,
        ownNs: since(before.ranNs, after.ranNs),
        waitNs: since(before.waitNs, after.waitNs),
        scheduling: after.scheduling,
        allowed: after.allowed,
        cgroup: after.cgroup,
      };
    },
  };
}

/** Timers of normal tasks may fire 50 µs late, so that several fire at once; the probe does without (prctl(2)). */
function leastSlack({ proc }: HostPaths): number {
  const file = `${proc}/self/timerslack_ns`;
  try {
    writeFileSync(file, '1');
  } catch (error) {
    // Kernels before 4.6 have no such file, and a sandbox may forbid it; what is in force is told.
    if (errnoOf(error) === undefined) throw error;
  }
  return Number(readIfThere(file)?.trim() || 50_000);
}

function clockCost(clock: ProbeClock): number {
  let least = Number.POSITIVE_INFINITY;
  let last = clock.now();
  for (let reading = 0; reading < CLOCK_READINGS; reading += 1) {
    const now = clock.now();
    if (now - last < least) least = now - last;
    last = now;
  }
  return least;
}

const since = (before: number | undefined, after: number | undefined): number | undefined =>
  before === undefined || after === undefined ? undefined : after - before;

/** sched(7) */
const POLICIES: Readonly<Record<string, string>> = {
  '0': 'normal',
  '1': 'fifo',
  '2': 'rr',
  '3': 'batch',
  '5': 'idle',
  '6': 'deadline',
};

/** What the kernel says of the calling process' first thread. */
function readOwn({ proc }: HostPaths) {
  const status = readIfThere(`${proc}/self/status`) ?? '';
  const stat = readIfThere(`${proc}/self/stat`) ?? '';
  // Without CONFIG_SCHED_INFO there is no such file.
  const [ranNs, waitNs] = readIfThere(`${proc}/self/schedstat`)?.trim().split(' ').map(Number) ?? [];
  const cgroups = readIfThere(`${proc}/self/cgroup`) ?? '';
  // Fields 40 and 41 of proc_pid_stat(5), counted from the third.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const policy = POLICIES[fields[38] ?? ''] ?? `policy ${fields[38]}`;
  return {
    involuntary: Number(/^nonvoluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1] ?? 0),
    allowed: parseIndexSet(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '', 'Cpus_allowed_list'),
    ranNs,
    waitNs,
    scheduling: fields[37] === '0' ? policy : `${policy} ${fields[37]}`,
    cgroup: /^0::(.*)$/m.exec(cgroups)?.[1] ?? '/',
  };
}

/** What Node is told for a probe: no helper threads, and room for the garbage between two clearings. */
export const PROBE_NODE_FLAGS = ['--single-threaded', '--expose-gc', '--min-semi-space-size=16'] as const;
