import { badInput, quote } from './errors.ts';
import { type Amount, U64_MAX } from './quantity.ts';

/** Microseconds in each unit of systemd.time(7). */
const UNITS: Readonly<Record<string, bigint>> = {
  us: 1n,
  usec: 1n,
  µs: 1n,
  ms: 1000n,
  msec: 1000n,
  s: 1_000_000n,
  sec: 1_000_000n,
  second: 1_000_000n,
  seconds: 1_000_000n,
  m: 60_000_000n,
  min: 60_000_000n,
  minute: 60_000_000n,
  minutes: 60_000_000n,
  h: 3_600_000_000n,
  hr: 3_600_000_000n,
  hour: 3_600_000_000n,
  hours: 3_600_000_000n,
  d: 86_400_000_000n,
  day: 86_400_000_000n,
  days: 86_400_000_000n,
  w: 604_800_000_000n,
  week: 604_800_000_000n,
  weeks: 604_800_000_000n,
};

const PRINTED = ['d', 'h', 'min', 's', 'ms', 'us'] as const;

/** A time span of systemd.time(7) in microseconds: `90`, `1min 30s`, `500ms`, `1.5h`; a bare number is seconds. */
export function parseTimespan(text: string, name: string): bigint {
  const trimmed = text.trim();
  const hint = 'write seconds or a span such as 30s, 1min 30s or 500ms';
  if (!/^(\d+(\.\d+)?\s*[a-zµ]*\s*)+$/.test(trimmed)) throw badInput(`${name}=${quote(text)} is not a time span`, hint);
  let total = 0n;
  for (const [, whole = '0', fraction = '', unit = ''] of trimmed.matchAll(/(\d+)(?:\.(\d+))?\s*([a-zµ]*)/g)) {
    const factor = unit === '' ? UNITS.s : UNITS[unit];
    if (factor === undefined) throw badInput(`${name}=${quote(text)}: ${quote(unit)} is not a unit of time`, hint);
    total += (BigInt(whole + fraction) * factor) / 10n ** BigInt(fraction.length);
  }
  if (total >= U64_MAX) throw badInput(`${name}=${quote(text)} is more than 64 bits can count`, 'write infinity');
  return total;
}

/** systemd's text for a span in microseconds: `1min 30s`. */
export function printTimespan(span: Amount): string {
  if (span === 'infinity') return span;
  if (span === 0n) return '0';
  const parts: string[] = [];
  let rest = span;
  for (const unit of PRINTED) {
    const factor = UNITS[unit] ?? 1n;
    if (rest >= factor) {
      parts.push(`${rest / factor}${unit}`);
      rest %= factor;
    }
  }
  return parts.join(' ');
}
