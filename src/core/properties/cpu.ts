import { badInput, quote } from '../errors.ts';
import { cpuRequestToWeight, parseCpuQuantity } from '../kubernetes.ts';
import { type Amount, parsePermyriad, parseWhole } from '../quantity.ts';
import { parseTimespan, printTimespan } from '../timespan.ts';
import { amountProperty, readAmount } from './forms.ts';
import { asRow, type Row } from './row.ts';

const SECOND = 1_000_000n;
const DEFAULT_PERIOD = 100_000n;
/** The kernel's bounds of quota and period, in microseconds (Documentation/scheduler/sched-bwc.rst). */
const RESOLUTION = 1_000n;

/** The period that systemd gives the kernel (`cgroup_cpu_adjust_period`): long enough for a quota of 1 ms, at most 1 s. */
export function periodFor(quota: Amount, period: bigint = DEFAULT_PERIOD): bigint {
  const least = quota === 'infinity' ? RESOLUTION : (RESOLUTION * SECOND) / quota;
  const wanted = [period, RESOLUTION, least].reduce((a, b) => (a > b ? a : b));
  return wanted > SECOND ? SECOND : wanted;
}

/** The quota of one period in microseconds. */
export function quotaPerPeriod(quota: bigint, period: bigint): bigint {
  const value = (quota * period) / SECOND;
  return value < RESOLUTION ? RESOLUTION : value;
}

function parseQuota(text: string): Amount {
  if (text.trim() === 'infinity') return 'infinity';
  const permyriad = parsePermyriad(text);
  if (permyriad === undefined) {
    throw badInput(
      `CPUQuota=${quote(text)} is not a percentage with at most two decimals`,
      'write 50% for half a CPU, 200% for two',
    );
  }
  if (permyriad === 0n) throw badInput('CPUQuota=0% would stop the job for ever', 'write at least 0.01%');
  return bounded(permyriad * 100n, text);
}

/** systemd keeps the hundredths of a percent in an int (`parse_permyriad_unbounded`, src/basic/percent-util.c). */
function bounded(quota: bigint, text: string): bigint {
  if (quota <= 2_147_483_647n * 100n) return quota;
  throw badInput(`CPUQuota=${quote(text)} is more CPU than any machine has`, 'write infinity for no limit');
}

const perSecond = (quota: bigint, period: bigint): bigint => (quota * SECOND) / period;

const cpuQuota: Row<Amount> = {
  name: 'CPUQuota',
  summary: 'CPU time per second of wall time; 100% is one whole CPU',
  unit: 'µs/s',
  scope: 'group',
  since: 213,
  example: '50%',
  flags: [
    {
      name: '--cpu',
      placeholder: '<quota>',
      help: 'CPU time: 50%, 1.5 (CPUs) or 1500m',
      parse: (text) =>
        text.trim().endsWith('%') || text.trim() === 'infinity'
          ? parseQuota(text)
          : bounded(parseCpuQuantity(text) * 1000n, text),
    },
  ],
  ignored: ['where the cpu controller is not enabled for the group'],
  parse: parseQuota,
  print: (value) => {
    if (value === 'infinity') return value;
    const fraction = `${value % 10_000n}`.padStart(4, '0').replace(/0+$/, '');
    return `${value / 10_000n}${fraction && `.${fraction}`}%`;
  },
  dbus: amountProperty('CPUQuotaPerSecUSec'),
  settle: (value, { systemd }) => {
    if (value === 'infinity') return { value };
    const step = systemd === undefined ? 10n : systemd < 256 ? 10_000n : 100n;
    const rounded = ((value + step - 1n) / step) * step;
    if (rounded === value) return { value };
    const keeper =
      systemd === undefined
        ? 'the kernel counts in microseconds per period'
        : `systemd ${systemd} keeps it in steps of ${cpuQuota.print(step)}`;
    return { value: rounded, note: `rounded up to ${cpuQuota.print(rounded)}: ${keeper}` };
  },
  v2: {
    controller: 'cpu',
    write: (value, { limits }) => {
      const period = periodFor(value, limits.CPUQuotaPeriodSec);
      const quota = value === 'infinity' ? 'max' : `${quotaPerPeriod(value, period)}`;
      const unlimited = value === 'infinity' && { shows: (content: string) => content.startsWith('max ') };
      return [{ controller: 'cpu', file: 'cpu.max', text: `${quota} ${period}`, ...unlimited }];
    },
    read: (read) => {
      const [quota, period] = (read('cpu', 'cpu.max') ?? '').trim().split(' ');
      if (!quota || !period) return undefined;
      return quota === 'max' ? 'infinity' : perSecond(BigInt(quota), BigInt(period));
    },
  },
  v1: {
    controller: 'cpu',
    write: (value, { limits }) => {
      const period = periodFor(value, limits.CPUQuotaPeriodSec);
      const quota = value === 'infinity' ? '-1' : `${quotaPerPeriod(value, period)}`;
      return [
        { controller: 'cpu', file: 'cpu.cfs_period_us', text: `${period}` },
        { controller: 'cpu', file: 'cpu.cfs_quota_us', text: quota },
      ];
    },
    read: (read) => {
      const quota = readAmount(read('cpu', 'cpu.cfs_quota_us'));
      const period = readAmount(read('cpu', 'cpu.cfs_period_us'));
      if (quota === undefined || period === undefined || period === 'infinity') return undefined;
      return quota === 'infinity' ? quota : perSecond(quota, period);
    },
  },
  ancestors: 'smallest',
};

const cpuQuotaPeriod: Row<bigint> = {
  name: 'CPUQuotaPeriodSec',
  summary: 'The period over which CPUQuota is measured out',
  unit: 'µs',
  scope: 'group',
  since: 242,
  example: '10ms',
  flags: [],
  ignored: [
    'where the cpu controller is not enabled for the group',
    'by systemd when CPUQuota is not given: it then keeps the period of 100ms',
  ],
  parse: (text) => {
    const period = parseTimespan(text, 'CPUQuotaPeriodSec');
    if (period < RESOLUTION || period > SECOND) {
      throw badInput(`CPUQuotaPeriodSec=${text.trim()} is out of the kernel's range`, 'write 1ms to 1s');
    }
    return period;
  },
  print: printTimespan,
  dbus: (value) => [['CPUQuotaPeriodUSec', 't', value]],
  v2: {
    controller: 'cpu',
    write: (value, { limits }) =>
      limits.CPUQuota === undefined
        ? [{ controller: 'cpu', file: 'cpu.max', text: `max ${periodFor('infinity', value)}` }]
        : [],
    read: (read) => {
      const period = (read('cpu', 'cpu.max') ?? '').trim().split(' ')[1];
      return period ? BigInt(period) : undefined;
    },
  },
  v1: {
    controller: 'cpu',
    write: (value, { limits }) =>
      limits.CPUQuota === undefined
        ? [{ controller: 'cpu', file: 'cpu.cfs_period_us', text: `${periodFor('infinity', value)}` }]
        : [],
    read: (read) => {
      const period = readAmount(read('cpu', 'cpu.cfs_period_us'));
      return period === 'infinity' ? undefined : period;
    },
  },
  ancestors: 'none',
};

function parseWeight(text: string): bigint | 'idle' {
  return text.trim() === 'idle' ? 'idle' : parseWhole(text, 1n, 10_000n, 'CPUWeight');
}

const cpuWeight: Row<bigint | 'idle'> = {
  name: 'CPUWeight',
  summary: 'Share of CPU time among its neighbours when they compete; 100 is the default',
  unit: 'weight',
  scope: 'group',
  since: 232,
  example: '50',
  flags: [
    {
      name: '--weight',
      placeholder: '<weight>',
      help: 'CPU weight 1 to 10000, or idle',
      parse: parseWeight,
    },
    {
      name: '--cpu-request',
      placeholder: '<cpus>',
      help: 'CPU weight by a Kubernetes CPU request: 50m or 0.5',
      parse: (text) => cpuRequestToWeight(parseCpuQuantity(text)),
    },
  ],
  ignored: ['where the cpu controller is not enabled for the group', 'idle: before systemd 252 or Linux 5.15'],
  parse: parseWeight,
  print: (value) => `${value}`,
  dbus: (value) => [['CPUWeight', 't', value === 'idle' ? 0n : value]],
  v2: {
    controller: 'cpu',
    write: (value) => [
      value === 'idle'
        ? { controller: 'cpu', file: 'cpu.idle', text: '1' }
        : { controller: 'cpu', file: 'cpu.weight', text: `${value}` },
    ],
    read: (read) => {
      if (read('cpu', 'cpu.idle')?.trim() === '1') return 'idle';
      const weight = readAmount(read('cpu', 'cpu.weight'));
      return weight === 'infinity' ? undefined : weight;
    },
  },
  v1: {
    controller: 'cpu',
    write: (value) => [{ controller: 'cpu', file: 'cpu.shares', text: `${sharesOf(value)}` }],
    read: (read) => {
      const shares = readAmount(read('cpu', 'cpu.shares'));
      if (shares === undefined || shares === 'infinity') return undefined;
      if (shares <= 2n) return 'idle';
      const weight = (shares * 100n + 1023n) / 1024n;
      return weight > 10_000n ? 10_000n : weight;
    },
  },
  ancestors: 'none',
};

/** systemd's linear rule from weight to cgroup v1 shares: 100 → 1024, within 2 to 262144; idle → 2. */
export function sharesOf(weight: bigint | 'idle'): bigint {
  if (weight === 'idle') return 2n;
  const shares = (weight * 1024n) / 100n;
  return shares < 2n ? 2n : shares > 262_144n ? 262_144n : shares;
}

export const cpuRows: readonly Row[] = [asRow(cpuQuota), asRow(cpuQuotaPeriod), asRow(cpuWeight)];
