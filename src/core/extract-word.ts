import { type Origin, sliceTraced, type Traced } from './traced.ts';

const BLANKS = ' \t\n\r';

export interface WordRules {
  /** C escapes are known and others refused; else a backslash takes the meaning of any next character. */
  readonly cEscapes: boolean;
  /** Escapes that are not known stay as written, and so does a backslash at the end. */
  readonly keepUnknown?: boolean;
  /** An open quote or a backslash at the end ends the word instead of being refused. */
  readonly relaxed?: boolean;
}

export interface FoundWord {
  readonly word: Traced;
  /** Where the word as written begins and ends in the text, quotes included. */
  readonly start: number;
  readonly end: number;
  /** Where the next word begins. */
  readonly next: number;
}

/**
 * The next word of a text from an offset on, unquoted (extract_first_word, src/basic/extract-word.c): quotes may begin
 * anywhere in a word. `end` where there is none, `invalid` for an open quote or an unknown escape.
 */
export function extractWord(value: Traced, from: number, rules: WordRules): FoundWord | 'end' | 'invalid' {
  const { text } = value;
  const start = skipBlanks(text, from);
  if (start >= text.length) return 'end';
  const chars: string[] = [];
  const origins: Origin[] = [];
  let quote = '';
  let at = start;
  const add = (char: string, first: number, end: number): void => {
    const [origin, last] = [value.from[first], value.from[end - 1]];
    if (origin === undefined || last === undefined) return;
    for (const unit of char.split('')) {
      chars.push(unit);
      origins.push({ ...origin, end: last.end });
    }
  };
  const found = (end: number): FoundWord => ({
    word: joinBytes({ text: chars.join(''), from: origins }),
    start,
    end,
    next: skipBlanks(text, end),
  });
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === '\\') {
      if (at + 1 >= text.length) {
        if (rules.keepUnknown === true && (quote === '' || rules.relaxed === true)) add('\\', at, at + 1);
        else if (rules.relaxed !== true) return 'invalid';
        return found(text.length);
      }
      const meant = rules.cEscapes ? cEscape(text, at + 1) : { char: text.charAt(at + 1), length: 1 };
      if (meant !== undefined) {
        add(meant.char, at, at + 1 + meant.length);
        at += 1 + meant.length;
      } else if (rules.keepUnknown === true) {
        add('\\', at, at + 1);
        add(text.charAt(at + 1), at + 1, at + 2);
        at += 2;
      } else return 'invalid';
      continue;
    }
    if (quote === '' && BLANKS.includes(char)) return found(at);
    if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
    else add(char, at, at + 1);
    at += 1;
  }
  if (quote !== '' && rules.relaxed !== true) return 'invalid';
  return found(at);
}

export function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && BLANKS.includes(text.charAt(at))) at += 1;
  return at;
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
  s: ' ',
};

/** A byte of a text that is not ASCII, until {@link joinBytes} makes characters of them. */
const byteChar = (byte: number): string => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);

/** What an escape means (cunescape_one, src/basic/escape.c); NUL is refused. `at` is behind the backslash. */
function cEscape(text: string, at: number): { readonly char: string; readonly length: number } | undefined {
  const letter = text.charAt(at);
  const simple = Object.hasOwn(SIMPLE, letter) ? SIMPLE[letter] : undefined;
  if (simple !== undefined) return { char: simple, length: 1 };
  const rest = text.slice(at, at + 9);
  const digits = /^x([0-9a-fA-F]{2})/.exec(rest) ?? /^u([0-9a-fA-F]{4})/.exec(rest) ?? /^U([0-9a-fA-F]{8})/.exec(rest);
  if (digits?.[1] !== undefined) {
    const code = Number.parseInt(digits[1], 16);
    if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
    return { char: letter === 'x' ? byteChar(code) : String.fromCodePoint(code), length: digits[0].length };
  }
  const octal = /^[0-7]{3}/.exec(rest)?.[0];
  const byte = octal === undefined ? 0 : Number.parseInt(octal, 8);
  return byte === 0 || byte > 0xff ? undefined : { char: byteChar(byte), length: 3 };
}

/** Makes characters of runs of bytes; what is no UTF-8 becomes U+FFFD. */
function joinBytes(word: Traced): Traced {
  const run = /[\udc80-\udcff]+/.exec(word.text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, 'xx'));
  if (run === null) return word;
  const [start, end] = [run.index, run.index + run[0].length];
  const bytes = new Uint8Array(run[0].split('').map((char) => char.charCodeAt(0) - 0xdc00));
  const text = new TextDecoder().decode(bytes);
  const rest = joinBytes(sliceTraced(word, end));
  const [first, last] = [word.from[start], word.from[end - 1]];
  if (first === undefined || last === undefined) return word;
  const origin = { ...first, end: last.end };
  return {
    text: word.text.slice(0, start) + text + rest.text,
    from: [...word.from.slice(0, start), ...text.split('').map(() => origin), ...rest.from],
  };
}
