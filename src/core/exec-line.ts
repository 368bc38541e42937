import { nameFault } from './environment-file.ts';
import { extractWord, skipBlanks } from './extract-word.ts';
import { expandSpecifiers, type SpecifierLookup } from './specifiers.ts';
import { joinTraced, sliceTraced, type Traced } from './traced.ts';

/** One command of `ExecStart=`; its words still have their variables. */
export interface ExecCommand {
  /** `@`, `-`, `:`, `+`, `!`, `|` before the program, as written. */
  readonly prefixes: string;
  /** The program, without prefixes. */
  readonly program: Traced;
  /** What the program gets as argv, from argv[0] on. */
  readonly words: readonly Traced[];
}

export interface ExecLine {
  readonly commands: readonly ExecCommand[];
  /** Why systemd refuses the line; the commands before the fault count. */
  readonly fault: string | undefined;
  /** Why systemd passes over the rest of the line without refusing it. */
  readonly ignored: string | undefined;
  /** Escapes that systemd does not know and leaves as written. */
  readonly unknownEscapes: boolean;
  readonly unansweredSpecifiers: readonly string[];
}

const QUOTED = { cEscapes: true } as const;

/**
 * Splits the value of `ExecStart=` as systemd does (config_parse_exec, src/core/load-fragment.c), specifiers put in.
 * An empty value resets the list instead: ask before.
 */
export function splitExecLine(value: Traced, lookup: SpecifierLookup): ExecLine {
  const commands: ExecCommand[] = [];
  let unknown: string | undefined;
  const unanswered = new Set<string>();
  let unknownEscapes = false;
  const specify = (word: Traced): Traced => {
    const result = expandSpecifiers(word, lookup);
    unknown ??= result.unknown;
    for (const letter of result.unanswered) unanswered.add(letter);
    return result.value;
  };
  const extract = (from: number) => {
    const strict = extractWord(value, from, QUOTED);
    if (strict !== 'invalid') return strict;
    const kept = extractWord(value, from, { ...QUOTED, keepUnknown: true });
    if (kept !== 'invalid') unknownEscapes = true;
    return kept;
  };
  const done = (fault?: string, isIgnored = false): ExecLine => ({
    commands,
    fault: isIgnored ? undefined : fault,
    ignored: isIgnored ? fault : undefined,
    unknownEscapes,
    unansweredSpecifiers: [...unanswered],
  });

  let at = 0;
  for (;;) {
    const first = extract(at);
    if (first === 'end') return done();
    if (first === 'invalid') return done('a quote is not closed', true);
    at = first.next;
    if (first.word.text === ';') continue;
    const prefixes = prefixesOf(first.word.text);
    const program = specify(sliceTraced(first.word, prefixes.length));
    const isIgnored = prefixes.includes('-');
    if (program.text === '' && !prefixes.includes('|')) return done('it names no program', isIgnored);
    if (program.text.endsWith('/')) return done('its program is a folder', isIgnored);
    if (!program.text.startsWith('/') && (program.text.includes('/') || /^\.{1,2}$/.test(program.text))) {
      return done('its program is neither an absolute path nor a plain name', isIgnored);
    }
    if (unknown !== undefined) return done(unknownText(unknown), isIgnored);
    const words: Traced[] = prefixes.includes('@') ? [] : [program];
    let more = false;
    while (at < value.text.length) {
      const rest = value.text.slice(at, at + 3);
      if (/^;(?:[ \t\n\r]|$)/.test(rest)) {
        at = skipBlanks(value.text, at + 1);
        more = true;
        break;
      }
      if (/^\\;(?:[ \t\n\r]|$)/.test(rest)) {
        words.push(sliceTraced(value, at + 1, at + 2));
        at = skipBlanks(value.text, at + 2);
        continue;
      }
      const found = extract(at);
      if (found === 'end') break;
      if (found === 'invalid') return done('a quote is not closed', isIgnored);
      words.push(specify(found.word));
      if (unknown !== undefined) return done(unknownText(unknown), isIgnored);
      at = found.next;
    }
    if (words[0] === undefined || words[0].text === '') return done('it has no argv[0]', isIgnored);
    commands.push({ prefixes, program, words });
    if (!more) return done();
  }
}

const unknownText = (letter: string): string => `there is no specifier %${letter}`;

/** Each prefix counts once; `+`, `!` and `!!` exclude each other. */
function prefixesOf(word: string): string {
  let prefixes = '';
  for (const char of word) {
    const isTaken =
      char === '+'
        ? /[+!]/.test(prefixes)
        : char === '!'
          ? prefixes.includes('+') || prefixes.includes('!!') || prefixes.split('!').length > 2
          : !'@-:|'.includes(char) || prefixes.includes(char);
    if (isTaken) break;
    prefixes += char;
  }
  return prefixes;
}

export interface ExpandedWords {
  readonly words: readonly Traced[];
  /** Variables that are not set: they leave no word, or nothing in theirs. */
  readonly unset: readonly string[];
  /** Words that begin with `$` and are no variable: systemd drops each as a whole. */
  readonly dropped: readonly string[];
}

/**
 * Puts variables in (replace_env_argv, src/basic/env-util.c): a word that is `$NAME` becomes the words of its value, none
 * if unset; `${NAME}` anywhere becomes its value in that word; `$$` is `$`. Quotes around `$NAME` in the unit make no
 * difference, those in its value hold words together.
 */
export function expandVariables(words: readonly Traced[], environment: ReadonlyMap<string, Traced>): ExpandedWords {
  const unset = new Set<string>();
  const dropped: string[] = [];
  const expanded = words.flatMap((word) => {
    if (!/^\$(?![{$])/.test(word.text)) return [expandBraces(word, environment, unset)];
    const name = word.text.slice(1);
    if (nameFault(name) !== undefined) {
      dropped.push(word.text);
      return [];
    }
    const value = environment.get(name);
    if (value === undefined) unset.add(name);
    return value === undefined ? [] : splitValue(value);
  });
  return { words: expanded, unset: [...unset], dropped };
}

function splitValue(value: Traced): Traced[] {
  const words: Traced[] = [];
  for (let at = 0; ; ) {
    const found = extractWord(value, at, { cEscapes: false, relaxed: true });
    if (found === 'end' || found === 'invalid') return words;
    words.push(found.word);
    at = found.next;
  }
}

/** `${NAME}` and `$$` in a word. A colon before the brace ends makes it literal, since systemd keeps that syntax free. */
function expandBraces(word: Traced, environment: ReadonlyMap<string, Traced>, unset: Set<string>): Traced {
  if (!word.text.includes('$')) return word;
  const parts: Traced[] = [];
  let plain = 0;
  for (const found of word.text.matchAll(/\$(?:\$|\{([^}:]*)\})/g)) {
    parts.push(sliceTraced(word, plain, found.index));
    const name = found[1];
    if (name === undefined) parts.push(sliceTraced(word, found.index + 1, found.index + 2));
    else {
      const value = environment.get(name);
      if (value === undefined) unset.add(name);
      else parts.push(value);
    }
    plain = found.index + found[0].length;
  }
  return joinTraced([...parts, sliceTraced(word, plain)]);
}
