import { badInput, quote } from './errors.ts';

/** An amount that the kernel counts, or no bound at all. */
export type Amount = bigint | 'infinity';

/** What a percentage refers to, read once from the machine. Sizes in bytes. */
export interface Machine {
  /** Physical memory, or the memory limit of the container that slicectl runs in, whichever is smaller. */
  readonly memory: bigint;
  /** The most tasks the machine can have: the smaller of `kernel.pid_max` and `kernel.threads-max`. */
  readonly tasks: bigint;
  readonly pageSize: bigint;
}

/** UINT64_MAX, which systemd reads as "no limit" for limits and as "not set" for weights. */
export const U64_MAX = 0xffff_ffff_ffff_ffffn;

const SUFFIXES: readonly string[] = ['', 'K', 'M', 'G', 'T', 'P', 'E'];

/**
 * A size as systemd writes it: `1G`, `1.5G`, `512M`, `5000000`, and Kubernetes' binary form `512Mi`.
 * The suffixes K to E are powers of `base` (systemd.resource-control(5): 1024 for memory, 1000 for I/O).
 */
export function parseSize(text: string, base: 1000 | 1024, name: string): bigint {
  const match = /^(\d+)(?:\.(\d+))?\s*([KMGTPE]i|[KMGTPE]|)B?$/.exec(text.trim());
  if (!match) throw badInput(`${name}=${quote(text)} is not a size`, sizeHint(text, base));
  const [, whole = '0', fraction = '', suffix = ''] = match;
  const power = SUFFIXES.indexOf(suffix.charAt(0));
  const unit = BigInt(suffix.endsWith('i') ? 1024 : base) ** BigInt(power);
  const scale = 10n ** BigInt(fraction.length);
  const value = (BigInt(whole + fraction) * unit) / scale;
  if (value >= U64_MAX) throw badInput(`${name}=${quote(text)} is more than 64 bits can count`, 'write infinity');
  return value;
}

function sizeHint(text: string, base: number): string {
  if (/^\s*-/.test(text)) return 'a size cannot be negative; write infinity for no limit';
  const lower = /^\s*([\d.]+)\s*([kmgtpe])(i?b?)\s*$/.exec(text);
  if (lower) return `write ${lower[1]}${lower[2]?.toUpperCase()}: suffixes are upper-case K M G T P E`;
  if (base === 1000) return 'write a number with K M G T P E (powers of 1000), such as 10M';
  return 'write a number with K M G T P E (powers of 1024), such as 512M or 1.5G';
}

/** A percentage with up to two decimals as hundredths of a percent, or undefined when the text is not one. */
export function parsePermyriad(text: string): bigint | undefined {
  const match = /^(\d+)(?:\.(\d{1,2}))?%$/.exec(text.trim());
  if (match) return BigInt(match[1] ?? '0') * 100n + BigInt((match[2] ?? '').padEnd(2, '0'));
  const small = /^(\d+)(‰|‱)$/.exec(text.trim());
  if (small) return BigInt(small[1] ?? '0') * (small[2] === '‰' ? 10n : 1n);
  return undefined;
}

/** A share of the machine (`50%`), taken of `whole`, or undefined when the text is not a percentage. */
export function parseShareOf(text: string, whole: bigint, name: string): bigint | undefined {
  const permyriad = parsePermyriad(text);
  if (permyriad === undefined) return undefined;
  if (permyriad > 10_000n) {
    throw badInput(`${name}=${text.trim()} is more than the whole machine`, 'write at most 100%');
  }
  return (whole * permyriad) / 10_000n;
}

/** A whole number within bounds; `name` is for the message. */
export function parseWhole(text: string, low: bigint, high: bigint, name: string): bigint {
  const digits = text.trim();
  if (!/^\d+$/.test(digits)) throw badInput(`${name}=${quote(text)} is not a whole number`, `write ${low} to ${high}`);
  const value = BigInt(digits);
  if (value < low || value > high) throw badInput(`${name}=${digits} is out of range`, `write ${low} to ${high}`);
  return value;
}

/** The shortest exact form in systemd's text: `1G`, `1536M`, `5000000`. */
export function printSize(value: Amount, base: 1000 | 1024): string {
  if (value === 'infinity') return value;
  let power = 0;
  let rest = value;
  while (rest !== 0n && rest % BigInt(base) === 0n && power < SUFFIXES.length - 1) {
    rest /= BigInt(base);
    power += 1;
  }
  return `${rest}${SUFFIXES[power]}`;
}

/** For people: at most three significant digits, `3.2M`. Loses precision; never parse it back. */
export function approximateSize(bytes: bigint): string {
  let value = Number(bytes);
  let power = 0;
  while (value >= 1024 && power < SUFFIXES.length - 1) {
    value /= 1024;
    power += 1;
  }
  const digits = power === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '');
  return `${digits}${SUFFIXES[power] || 'B'}`;
}
