import { printIndexSet } from '../../core/cpuset.ts';
import { compare, type Series } from '../../cpus/measure/compare.ts';
import type { Distribution } from '../../cpus/measure/distribution.ts';
import type { Measurement } from '../../cpus/measure/model.ts';
import { durationText } from './cpus-measure.ts';

const WIDTH = 760;
const PANEL = 260;
const LEFT = 80;
const RIGHT = 24;
const TOP = 72;
/** Between the plots: the axis of the one and the title of the next. */
const BETWEEN = 84;

interface Scale {
  /** Powers of ten of microseconds. */
  readonly x: readonly [from: number, to: number];
  /** The smallest share, as a power of ten. */
  readonly least: number;
}

/**
 * For each latency the share of wake-ups that were later, on logarithmic axes: a panel for each role, before dashed and
 * after solid. Follows the reader's light or dark scheme.
 */
export function measureSvg(measurement: Measurement, before?: Measurement): string {
  const { series } = compare(measurement, before);
  const scale = scaleOf(series);
  const roles = [...new Set(series.map(({ role }) => role))];
  const height = TOP + roles.length * (PANEL + BETWEEN);
  const panels = roles.map((role, at) =>
    panel(
      series.filter((one) => one.role === role),
      scale,
      TOP + 24 + at * (PANEL + BETWEEN),
    ),
  );
  const title = `How late a task wakes up${before ? ', before and after' : ''}`;
  const about = `${measurement.taken.slice(0, 10)}, Linux ${measurement.machine.kernel}, ${measurement.seconds} s, a wake-up each ${measurement.intervalUs} µs`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title about">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="about">${escaped(`${about}. ${series.map(summary).join('. ')}`)}</desc>`,
    STYLE,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    `<text class="head" x="${LEFT}" y="30">${escaped(title)}</text>`,
    `<text class="soft" x="${LEFT}" y="50">${escaped(about)}</text>`,
    ...panels.flat(),
    '</svg>',
    '',
  ].join('\n');
}

const STYLE = `<style>
:root { color-scheme: light dark; }
.ground { fill: #ffffff; }
text { font: 12px system-ui, sans-serif; fill: #1b1f24; }
text.head { font-size: 17px; font-weight: 600; }
text.role { font-size: 14px; font-weight: 600; }
text.soft { fill: #57606a; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.axis { stroke: #57606a; stroke-width: 1; }
.line { fill: none; stroke-width: 2; }
.payload { stroke: #0550ae; }
.system { stroke: #b35900; }
.before { stroke-dasharray: 6 4; opacity: 0.75; }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117; }
text { fill: #e6edf3; }
text.soft { fill: #9da7b3; }
.grid { stroke: #2a313a; }
.axis { stroke: #9da7b3; }
.payload { stroke: #79b8ff; }
.system { stroke: #ffab70; }
}
</style>`;

function scaleOf(series: readonly Series[]): Scale {
  const inUs = (ns: number): number => Math.log10(Math.max(ns, 100) / 1000);
  const from = Math.floor(Math.min(...series.map(({ late }) => inUs(late.minNs))));
  const to = Math.ceil(Math.max(...series.map(({ late }) => inUs(late.maxNs))));
  const least = Math.floor(Math.min(-1, ...series.map(({ late }) => -Math.log10(Math.max(late.count, 1)))));
  return { x: [from, Math.max(to, from + 1)], least };
}

function panel(series: readonly Series[], scale: Scale, top: number): string[] {
  const [first] = series;
  const bottom = top + PANEL;
  const right = WIDTH - RIGHT;
  const [from, to] = scale.x;
  const powers = Array.from({ length: to - from + 1 }, (_, at) => from + at);
  const shares = Array.from({ length: -scale.least + 1 }, (_, at) => -at);
  const role = first?.role ?? 'system';
  return [
    `<text class="role" x="${LEFT}" y="${top - 12}">${role} CPUs ${escaped(printIndexSet(first?.cpus ?? []))}</text>`,
    ...series.flatMap((one, at) => legend(one, right - (series.length - at) * 104, top - 12)),
    ...powers.flatMap((power) => {
      const x = rounded(xOf(10 ** power * 1000, scale));
      return [
        `<line class="grid" x1="${x}" y1="${top}" x2="${x}" y2="${bottom}"/>`,
        `<text x="${x}" y="${bottom + 18}" text-anchor="middle">${escaped(tickText(power))}</text>`,
      ];
    }),
    ...shares.flatMap((power) => {
      const y = rounded(yOf(10 ** power, scale, top));
      return [
        `<line class="grid" x1="${LEFT}" y1="${y}" x2="${right}" y2="${y}"/>`,
        `<text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${shareText(power)}</text>`,
      ];
    }),
    `<path class="axis" fill="none" d="M${LEFT} ${top}V${bottom}H${right}"/>`,
    `<text class="soft" x="${(LEFT + right) / 2}" y="${bottom + 38}" text-anchor="middle">woke up later than this (µs, ms)</text>`,
    `<text class="soft" x="18" y="${top + PANEL / 2}" text-anchor="middle" transform="rotate(-90 18 ${top + PANEL / 2})">share of wake-ups (%)</text>`,
    ...series.map(
      (one) =>
        `<path class="line ${role}${classOf(one)}" d="${curve(one.late, scale, top)}"><title>${escaped(summary(one))}</title></path>`,
    ),
  ];
}

const classOf = ({ when }: Series): string => (when === 'before' ? ' before' : '');

function legend(series: Series, x: number, y: number): string[] {
  const { role, when } = series;
  if (when === undefined) return [];
  return [
    `<line class="line ${role}${classOf(series)}" x1="${x}" y1="${y - 4}" x2="${x + 30}" y2="${y - 4}"/>`,
    `<text x="${x + 36}" y="${y}">${when}</text>`,
  ];
}

/** A step at the upper bound of each bucket: how many were later than that. */
function curve({ buckets, count, minNs, maxNs }: Distribution, scale: Scale, top: number): string {
  let later = count;
  const steps = [`M${rounded(xOf(minNs, scale))} ${rounded(yOf(1, scale, top))}`];
  for (const [upToNs, many] of buckets) {
    later -= many;
    const y = later === 0 ? top + PANEL : yOf(later / count, scale, top);
    steps.push(`H${rounded(xOf(Math.min(upToNs, maxNs), scale))}V${rounded(y)}`);
  }
  return steps.join('');
}

function xOf(ns: number, { x: [from, to] }: Scale): number {
  const at = (Math.log10(Math.max(ns, 100) / 1000) - from) / (to - from);
  return LEFT + Math.min(Math.max(at, 0), 1) * (WIDTH - RIGHT - LEFT);
}

function yOf(share: number, { least }: Scale, top: number): number {
  return top + Math.min(Math.log10(share) / least, 1) * PANEL;
}

const rounded = (value: number): number => Math.round(value * 10) / 10;
const tickText = (power: number): string => durationText(10 ** power * 1000);
const shareText = (power: number): string =>
  `${10 ** (power + 2) >= 1 ? 10 ** (power + 2) : (10 ** (power + 2)).toFixed(-power - 2)}%`;

function summary({ role, when, cpus, late }: Series): string {
  const who = `${role} CPUs ${printIndexSet(cpus)}${when ? ` ${when}` : ''}`;
  return `${who}: ${late.count} wake-ups, the latest ${durationText(late.maxNs)} late`;
}

/** Text in XML 1.0, which has no control characters. */
function escaped(text: string): string {
  const marks: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[\x00-\x1f\x7f]/g, ' ').replaceAll(/[&<>"]/g, (mark) => marks[mark] ?? mark);
}
