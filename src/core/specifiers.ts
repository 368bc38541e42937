import { joinTraced, sliceTraced, standingFor, type Traced } from './traced.ts';

/** What a specifier such as `%n` stands for; undefined where that cannot be known. */
export type SpecifierLookup = (letter: string) => string | undefined;

/** Specifiers of units (systemd.unit(5)). */
const KNOWN = 'aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyYcrR';

export interface Specified {
  readonly value: Traced;
  /** A letter or digit that systemd knows no specifier for: it refuses the text (EBADSLT). Any other `%-` stays as it is. */
  readonly unknown: string | undefined;
  /** Letters of specifiers whose meaning is not to be known here; they are left as written. */
  readonly unanswered: readonly string[];
}

/** Puts in what specifiers stand for (specifier_printf, src/shared/specifier.c). */
export function expandSpecifiers(value: Traced, lookup: SpecifierLookup): Specified {
  if (!value.text.includes('%')) return { value, unknown: undefined, unanswered: [] };
  const parts: Traced[] = [];
  let unknown: string | undefined;
  const unanswered: string[] = [];
  let plain = 0;
  for (let at = value.text.indexOf('%'); at >= 0 && at + 1 < value.text.length; at = value.text.indexOf('%', plain)) {
    const letter = value.text.charAt(at + 1);
    const isKnown = KNOWN.includes(letter);
    const answer = letter === '%' ? '%' : isKnown ? lookup(letter) : undefined;
    if (isKnown && answer === undefined) unanswered.push(letter);
    if (!isKnown && /[A-Za-z0-9]/.test(letter)) unknown ??= letter;
    const [first, last] = [value.from[at], value.from[at + 1]];
    if (answer === undefined || first === undefined || last === undefined) {
      parts.push(sliceTraced(value, plain, at + 2));
    } else {
      parts.push(sliceTraced(value, plain, at), standingFor(answer, { ...first, end: last.end }));
    }
    plain = at + 2;
  }
  parts.push(sliceTraced(value, plain));
  return { value: joinTraced(parts), unknown, unanswered };
}

/** What a unit's own name answers: `%n %N %p %P %i %I %j %J %f` (systemd.unit(5)). */
export function nameSpecifier(unit: string, letter: string): string | undefined {
  const stem = unit.slice(0, unit.lastIndexOf('.'));
  const at = stem.indexOf('@');
  const prefix = at < 0 ? stem : stem.slice(0, at);
  const instance = at < 0 ? '' : stem.slice(at + 1);
  const last = prefix.slice(prefix.lastIndexOf('-') + 1);
  switch (letter) {
    case 'n':
      return unit;
    case 'N':
      return stem;
    case 'p':
      return prefix;
    case 'P':
      return unescapeUnitText(prefix);
    case 'i':
      return instance;
    case 'I':
      return unescapeUnitText(instance);
    case 'j':
      return last;
    case 'J':
      return unescapeUnitText(last);
    case 'f': {
      const path = unescapeUnitText(at < 0 ? prefix : instance);
      return path.startsWith('/') ? path : `/${path}`;
    }
    default:
      return undefined;
  }
}

/** systemd-escape --unescape: dashes are slashes, `\xNN` is a byte. */
function unescapeUnitText(text: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const hex = /^\\x([0-9a-fA-F]{2})/.exec(text.slice(at, at + 4))?.[1];
    if (hex !== undefined) {
      bytes.push(Number.parseInt(hex, 16));
      at += 3;
    } else bytes.push(...new TextEncoder().encode(text.charAt(at) === '-' ? '/' : text.charAt(at)));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
