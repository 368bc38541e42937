import { type IndexSet, MAX_INDEX, printIndexSet } from './cpuset.ts';
import { badInput, quote, type SlicectlError } from './errors.ts';

/** What the kernel answers to a list that it does not take. */
export type ListErrno = 'EINVAL' | 'ERANGE' | 'EOVERFLOW';

const UINT_MAX = 0xffff_ffff;
/** isspace() of the kernel (lib/ctype.c) has 0xa0 too. */
const SEPARATOR = /[\t\n\v\f\r \u00a0,]/;

/**
 * Reads a list as the kernel does (bitmap_parselist, lib/bitmap-str.c): `0-3,8`, `2-6:1/2` (the first of every two),
 * `all`, `all:1/2`, `N` for the last one, commas and blanks in any mix. A newline right behind a number, a range or `all`
 * ends the text; elsewhere it is a blank (found by trying on 6.18).
 * `last` is the highest index that the kernel's mask has. `E_INPUT` with the kernel's errno in `data.errno`.
 */
export function parseKernelList(text: string, name: string, last: number = MAX_INDEX): IndexSet {
  const [line = ''] = text.split('\0', 1);
  const found = new Set<number>();
  const cursor: Cursor = { line, at: 0, last, refuse: (errno, why) => listError(text, name, errno, why) };
  for (skipSeparators(cursor); cursor.at < line.length; skipSeparators(cursor)) {
    const { start, end, used, group, isLast } = readRegion(cursor);
    for (let from = start; from <= end; from += group) {
      for (let index = from; index < from + used && index <= end; index += 1) found.add(index);
    }
    if (isLast) break;
  }
  return [...found].sort((a, b) => a - b);
}

interface Cursor {
  readonly line: string;
  at: number;
  readonly last: number;
  readonly refuse: (errno: ListErrno, why: string) => SlicectlError;
}

/** From each `group` of indices between start and end, the first `used`. */
interface Region {
  readonly start: number;
  readonly end: number;
  readonly used: number;
  readonly group: number;
  /** Whether what is behind it is not read. */
  readonly isLast: boolean;
}

function readRegion(cursor: Cursor): Region {
  const from = cursor.at;
  const { start, end, pattern } = readRange(cursor);
  const [used, group] = pattern ? readPattern(cursor) : [end + 1, end + 1];
  const written = quote(cursor.line.slice(from, cursor.at));
  if (start > end) throw cursor.refuse('EINVAL', `the range ${written} runs backwards`);
  // A range that ends at the last 32-bit number has a group of 2^32, which is 0 there.
  if (group === 0 || group > UINT_MAX || used > group)
    throw cursor.refuse('EINVAL', `${written} takes ${used} of each ${group}`);
  if (end > cursor.last) throw cursor.refuse('ERANGE', `${end} is above ${cursor.last}, the last one here`);
  return { start, end, used, group, isLast: !pattern && cursor.line.charAt(cursor.at) === '\n' };
}

function readRange(cursor: Cursor): { start: number; end: number; pattern: boolean } {
  let [start, end] = [0, cursor.last];
  if (/^all/i.test(cursor.line.slice(cursor.at))) {
    cursor.at += 3;
  } else {
    start = readNumber(cursor);
    if (isEndOfRegion(cursor)) return { start, end: start, pattern: false };
    expectChar(cursor, '-');
    end = readNumber(cursor);
  }
  if (isEndOfRegion(cursor)) return { start, end, pattern: false };
  expectChar(cursor, ':');
  return { start, end, pattern: true };
}

function readPattern(cursor: Cursor): readonly [used: number, group: number] {
  const used = readNumber(cursor);
  expectChar(cursor, '/');
  return [used, readNumber(cursor)];
}

function readNumber(cursor: Cursor): number {
  const rest = cursor.line.slice(cursor.at);
  if (rest.startsWith('N')) {
    cursor.at += 1;
    return cursor.last;
  }
  const [digits = ''] = /^[0-9]*/.exec(rest) ?? [];
  if (digits === '') throw cursor.refuse('EINVAL', `${quote(rest)} does not begin with a number`);
  cursor.at += digits.length;
  const value = Number(digits);
  if (value > UINT_MAX) throw cursor.refuse('EOVERFLOW', `${digits} has more than 32 bits`);
  return value;
}

function expectChar(cursor: Cursor, char: string): void {
  const rest = cursor.line.slice(cursor.at);
  if (!rest.startsWith(char))
    throw cursor.refuse('EINVAL', `where ${quote(rest)} begins, ${quote(char)} or the end was due`);
  cursor.at += 1;
}

function isEndOfRegion({ line, at }: Cursor): boolean {
  return at >= line.length || SEPARATOR.test(line.charAt(at));
}

function skipSeparators(cursor: Cursor): void {
  while (cursor.at < cursor.line.length && SEPARATOR.test(cursor.line.charAt(cursor.at))) cursor.at += 1;
}

/**
 * Reads a list as systemd does in unit files, on its kernel command line and in what `systemctl show` prints
 * (parse_cpu_set_full, src/shared/cpu-set-util.c): words between blanks and commas, quotes taken off, numbers as
 * strtoul(3) takes them, so that 010 is 8 and 0x10 is 16. A range that runs backwards is nothing (an error in
 * `systemctl set-property` of 262). `E_INPUT` for what systemd refuses; it then ignores the whole assignment.
 */
export function parseSystemdList(text: string, name: string): IndexSet {
  const found = new Set<number>();
  for (const word of systemdWords(text, name)) {
    const [, first = '', last = first] = /^([^-]*)(?:-(.*))?$/s.exec(word) ?? [];
    const [lower, upper] = [systemdNumber(first), systemdNumber(last)];
    if (lower === undefined || upper === undefined)
      throw listError(text, name, 'EINVAL', `${quote(word)} is not a number or a range`);
    if (lower <= upper && upper > MAX_INDEX)
      throw listError(text, name, 'ERANGE', `${upper} is above ${MAX_INDEX}, the last one that systemd takes`);
    for (let index = lower; index <= upper; index += 1) found.add(index);
  }
  return [...found].sort((a, b) => a - b);
}

/** The form of `systemctl show`: as the kernel's, with blanks between. */
export function printSystemdList(set: IndexSet): string {
  return printIndexSet(set).replaceAll(',', ' ');
}

/** extract_first_word with EXTRACT_UNQUOTE: quotes may begin within a word, a backslash keeps the next character. */
function systemdWords(text: string, name: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let open = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '\\') {
      at += 1;
      if (at === text.length) throw listError(text, name, 'EINVAL', 'it ends with a backslash');
      word = (word ?? '') + text.charAt(at);
    } else if (open !== '') {
      if (char === open) open = '';
      else word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      open = char;
      word ??= '';
    } else if (/[ \t\n\r,]/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (open !== '') throw listError(text, name, 'EINVAL', `a ${open} is open at its end`);
  return word === undefined ? words : [...words, word];
}

/** safe_atou: blanks before, a plus, and the bases of C with `0b` and `0o` (the latter two since 247). */
function systemdNumber(text: string): number | undefined {
  const [, digits = ''] = /^[ \t\n\r]*\+?([0-9a-z]+)$/i.exec(text) ?? [];
  const octal = /^0([0-7]+)$/.exec(digits)?.[1];
  const isNumber = /^(?:0|[1-9][0-9]*|0x[0-9a-f]+|0b[01]+|0o[0-7]+)$/i.test(digits);
  const value = octal === undefined ? (isNumber ? Number(digits) : undefined) : Number.parseInt(octal, 8);
  return value !== undefined && value <= UINT_MAX ? value : undefined;
}

/**
 * Reads a list as the kubelet does, in `reservedSystemCPUs` and in its state file (cpuset.Parse of k8s.io/utils):
 * commas and ranges alone, no blank, no comma at the end; the empty text is the empty set. `E_INPUT` for all else.
 */
export function parseKubeletList(text: string, name: string): IndexSet {
  const found = new Set<number>();
  for (const part of text === '' ? [] : text.split(',')) {
    const [, first, last = first] = /^(\+?[0-9]+)(?:-(\+?[0-9]+))?$/.exec(part) ?? [];
    if (first === undefined) throw listError(text, name, 'EINVAL', `${quote(part)} is not a number or a range`);
    const [start, end] = [Number(first), Number(last)];
    if (start > end) throw listError(text, name, 'EINVAL', `the range ${part} runs backwards`);
    if (end > MAX_INDEX) throw listError(text, name, 'ERANGE', `${end} is above ${MAX_INDEX}`);
    for (let index = start; index <= end; index += 1) found.add(index);
  }
  return [...found].sort((a, b) => a - b);
}

function listError(text: string, name: string, errno: ListErrno, why: string): SlicectlError {
  return badInput(`${name}=${quote(text)}: ${why}`, 'write 0-3,8', { errno });
}
