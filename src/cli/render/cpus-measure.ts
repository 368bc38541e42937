import { printIndexSet } from '../../core/cpuset.ts';
import { compare, type Series } from '../../cpus/measure/compare.ts';
import {
  averageNs,
  countAbove,
  type Distribution,
  percentileName,
  percentileNs,
  TOLD_PERMILLE,
} from '../../cpus/measure/distribution.ts';
import { limitsOf } from '../../cpus/measure/limits.ts';
import type { Counted, CpuMeasurement, CpuRole, Measurement, ToolResult } from '../../cpus/measure/model.ts';
import { measuredText } from '../../cpus/measure/targets.ts';
import { tableText } from './table.ts';

const WIDTH = 80;
const BAR = 18;
/** Of one side of the histogram: the bar, its count, and the title of the longest set. */
const SIDE = 33;

/** A measurement as text of at most 80 columns, beside an earlier one where there is one. */
export function measureText(measurement: Measurement, before?: Measurement): string {
  const { series, differences } = compare(measurement, before);
  const parts = [
    headText(measurement),
    wakeUpsText(measurement),
    ...measurement.tools.map((tool) => toolText(tool, measurement)),
    aroundText(measurement.cpus),
    ...(before ? [comparedText(series, measurement.limitUs)] : []),
    ...blocksOf(series, before !== undefined).map(histogramText),
    ...(differences.length === 0 ? [] : [listText('Not the same before and after:', differences)]),
    floorText(measurement),
    listText('What this cannot show:', [...measurement.notes, ...limitsOf(measurement)]),
  ];
  return parts.join('\n');
}

function headText({ cpus, reservation, seconds, intervalUs, machine }: Measurement): string {
  const roles = reservation === undefined ? `no reservation: ${measuredText(cpus)}` : measuredText(cpus);
  const scheduling = [...new Set(cpus.map((one) => one.scheduling))].join(', ');
  const kernel = `Linux ${machine.kernel}${machine.isRealtime ? ' (PREEMPT_RT)' : ''}`;
  return wrapped('', [
    reservation === undefined ? roles : `${reservation}: ${roles}`,
    `${seconds} s, all CPUs at one time, a wake-up each ${intervalUs} µs; scheduling ${scheduling}; ${kernel}`,
  ]);
}

const lateHead = (cells: readonly string[], limitUs: number): string[] => [
  ...cells,
  'count',
  'min',
  'avg',
  ...TOLD_PERMILLE.map(percentileName),
  'max',
  `>${durationText(limitUs * 1000)}`,
];

function lateRow(cells: readonly string[], late: Distribution, limitUs: number): string[] {
  const times = [
    late.minNs,
    averageNs(late),
    ...TOLD_PERMILLE.map((permille) => percentileNs(late, permille)),
    late.maxNs,
  ];
  return [...cells, countText(late.count), ...times.map(durationText), countText(countAbove(late, limitUs * 1000))];
}

function wakeUpsText({ cpus, limitUs }: Measurement): string {
  const rows = cpus.toSorted(byRole).map(({ role, cpu, late }) => lateRow([role, `${cpu}`], late, limitUs));
  return `how late the probe woke up\n${tableText(lateHead(['', 'CPU'], limitUs), rows)}`;
}

function toolText({ name, cpus }: ToolResult, { cpus: measured, limitUs }: Measurement): string {
  const roles = new Map(measured.map(({ cpu, role }) => [cpu, role]));
  const rows = cpus
    .map((one) => ({ ...one, role: roles.get(one.cpu) ?? 'system' }))
    .toSorted(byRole)
    .map(({ role, cpu, late }) => lateRow([role, `${cpu}`], late, limitUs));
  return `the same by ${name}, afterwards\n${tableText(lateHead(['', 'CPU'], limitUs), rows)}`;
}

const byRole = (a: { readonly role: CpuRole; readonly cpu: number }, b: typeof a): number =>
  a.role === b.role ? a.cpu - b.cpu : a.role === 'payload' ? -1 : 1;

/** What else went on there: two tables, since one is too wide. */
function aroundText(cpus: readonly CpuMeasurement[]): string {
  const sorted = cpus.toSorted(byRole);
  const scheduler = tableText(
    ['meanwhile', 'CPU', 'gap', 'waited', 'switched', 'busy', 'steal', 'sibling', 'governor'],
    sorted.map(({ role, cpu, gap, waitNs, involuntary, around }) => [
      role,
      `${cpu}`,
      durationText(gap.largestNs),
      waitNs === undefined ? '-' : durationText(waitNs),
      `${involuntary}`,
      percent(around.busy),
      percent(around.steal),
      around.siblings.length === 0 ? 'none' : percent(Math.max(...around.siblings.map(({ busy }) => busy))),
      (around.governor ?? '-').slice(0, 12),
    ]),
  );
  const interrupts = sorted.map(({ role, cpu, around }) =>
    cut(`${role} CPU ${cpu}: devices ${countsText(around.devices)}; own ${countsText(around.local)}`),
  );
  const legend = wrapped('', [
    'gap: longest between two clock readings; waited: time ready and not run; switched: taken off the CPU for another task; busy: with the probe; sibling: the busiest other thread of the core; own: LOC timers, RES wake-ups, CAL calls',
  ]);
  return `${scheduler}${legend}\n${interrupts.map((line) => `${line}\n`).join('')}`;
}

function countsText(counted: readonly Counted[]): string {
  const sum = counted.reduce((all, { count }) => all + count, 0);
  const most = counted.slice(0, 3).map(({ name, count }) => `${name} ${count}`);
  return sum === 0 ? 'none' : `${sum} (${most.join(', ')})`;
}

function comparedText(series: readonly Series[], limitUs: number): string {
  return tableText(
    lateHead(['compared'], limitUs),
    series.map(({ role, when, late }) => lateRow([`${role} ${when ?? ''}`], late, limitUs)),
  );
}

/** Pairs that stand side by side: before and after of a role, else the roles. */
function blocksOf(series: readonly Series[], isCompared: boolean): readonly (readonly Series[])[] {
  if (!isCompared) return [series];
  return (['payload', 'system'] as const)
    .map((role) => series.filter((one) => one.role === role))
    .filter((block) => block.length > 0);
}

/** 1, 2, 5, 10… µs, up to the first that holds all. */
function boundsNs(series: readonly Series[]): readonly number[] {
  const least = Math.min(...series.map(({ late }) => late.minNs));
  const largest = Math.max(...series.map(({ late }) => late.maxNs));
  const bounds: number[] = [];
  for (let decade = 1000; ; decade *= 10) {
    for (const step of [1, 2, 5]) {
      if (decade * step >= least) bounds.push(decade * step);
      if (decade * step >= largest) return bounds;
    }
  }
}

/** Bars of logarithmic length: one wake-up of a million shows too. */
function histogramText(block: readonly Series[]): string {
  const bounds = boundsNs(block);
  const counted = block.map(({ late }) => countsWithin(late, bounds));
  const most = Math.max(1, ...counted.flat());
  const cell = (count: number): string => {
    const length = count === 0 ? 0 : Math.max(1, Math.round((Math.log(count + 1) / Math.log(most + 1)) * BAR));
    return `${'#'.repeat(length)} ${count || ''}`.padEnd(SIDE);
  };
  const title = ({ role, when, cpus }: Series): string =>
    `${role} CPUs ${shortened(printIndexSet(cpus))}${when ? ` ${when}` : ''}`.padEnd(SIDE);
  const lines = [
    `${'late up to'.padEnd(12)}${block.map(title).join('')}`,
    ...bounds.map(
      (bound, at) => `${durationText(bound).padStart(10)}  ${counted.map((counts) => cell(counts[at] ?? 0)).join('')}`,
    ),
    `${' '.repeat(12)}(the length of a bar grows with the logarithm of the count)`,
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function countsWithin({ buckets, maxNs }: Distribution, bounds: readonly number[]): number[] {
  const counts = bounds.map(() => 0);
  for (const [upToNs, many] of buckets) {
    const at = bounds.findIndex((bound) => Math.min(upToNs, maxNs) <= bound);
    counts[at] = (counts[at] ?? 0) + many;
  }
  return counts;
}

function floorText({ cpus, seconds }: Measurement): string {
  const most = (of: (one: CpuMeasurement) => number): number => Math.max(...cpus.map(of));
  const own = most(({ ownNs }) => (ownNs ?? 0) / (seconds * 1e9));
  return wrapped('', [
    `The probe's own floor: just before, it woke from sleep ${durationText(most(({ floor }) => floor.wakeNs))} after a deadline at best, and reads the clock in ${durationText(most(({ floor }) => floor.clockNs))}, with timer slack ${durationText(most(({ floor }) => floor.slackNs))}; shorter delays it cannot tell from its own. It is a program of Node whose memory is touched and not locked, watched for gaps ${percent(most(({ gap }) => gap.watchedNs / (seconds * 1e9)))} of the time, and took ${percent(own)} of a CPU.`,
  ]);
}

function listText(title: string, sentences: readonly string[]): string {
  return `${title}\n${sentences.map((text) => wrapped('- ', [text])).join('')}`;
}

/** Three digits and a unit: `950 ns`, `12.3 µs`, `1.25 s`. */
export function durationText(ns: number): string {
  const units = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ] as const;
  const [size, unit] = units.find(([one]) => ns >= one) ?? [1, 'ns'];
  const value = ns / size;
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${unit}`;
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`;
/** At most six characters. */
const countText = (count: number): string =>
  count < 1e6 ? `${count}` : `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)}M`;
const shortened = (text: string): string => (text.length > 9 ? `${text.slice(0, 8)}…` : text);
const cut = (line: string): string => (line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line);

/** Paragraphs, broken at blanks; further lines are indented as the mark of the first one. */
function wrapped(mark: string, paragraphs: readonly string[]): string {
  return paragraphs
    .map((text) => {
      const lines: string[] = [];
      let line = mark;
      for (const word of text.split(' ')) {
        if (line.length + word.length > WIDTH && line.trim() !== '') {
          lines.push(line.trimEnd());
          line = ' '.repeat(mark.length);
        }
        line += `${word} `;
      }
      return `${[...lines, line.trimEnd()].join('\n')}\n`;
    })
    .join('');
}
