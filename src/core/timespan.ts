import { badInput, quote } from './errors.ts';
import { type Amount, U64_MAX } from './quantity.ts';

/** Microseconds in each unit of systemd.time(7); a month is a twelfth of a year of 365.25 days. */
const UNITS: ReadonlyMap<string, bigint> = new Map(
  (
    [
      [1n, 'us usec µs μs'],
      [1000n, 'ms msec'],
      [1_000_000n, 's sec second seconds'],
      [60_000_000n, 'm min minute minutes'],
      [3_600_000_000n, 'h hr hour hours'],
      [86_400_000_000n, 'd day days'],
      [604_800_000_000n, 'w week weeks'],
      [2_629_800_000_000n, 'M month months'],
      [31_557_600_000_000n, 'y year years'],
    ] as const
  ).flatMap(([factor, names]) => names.split(' ').map((name) => [name, factor] as const)),
);

const PRINTED = ['d', 'h', 'min', 's', 'ms', 'us'] as const;

/** A time span of systemd.time(7) in microseconds: `90`, `1min 30s`, `500ms`, `1.5h`; a bare number is seconds. */
export function parseTimespan(text: string, name: string): bigint {
  const trimmed = text.trim();
  const hint = 'write seconds or a span such as 30s, 1min 30s or 500ms';
  let total = 0n;
  let end = 0;
  for (const match of trimmed.matchAll(/(\d+)(?:\.(\d+))?\s*([A-Za-zµμ]*)\s*/gy)) {
    const [whole, digits = '0', fraction = '', unit = ''] = match;
    const factor = UNITS.get(unit === '' ? 's' : unit);
    if (factor === undefined) throw badInput(`${name}=${quote(text)}: ${quote(unit)} is not a unit of time`, hint);
    total += (BigInt(digits + fraction) * factor) / 10n ** BigInt(fraction.length);
    end += whole.length;
  }
  if (end === 0 || end < trimmed.length) throw badInput(`${name}=${quote(text)} is not a time span`, hint);
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
    const factor = UNITS.get(unit) ?? 1n;
    if (rest >= factor) {
      parts.push(`${rest / factor}${unit}`);
      rest %= factor;
    }
  }
  return parts.join(' ');
}
