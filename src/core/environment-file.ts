import { NOTHING, type Origin, type Traced } from './traced.ts';
import type { TextProblem } from './unit-file.ts';

/** `NAME=value` of an environment file. */
export interface EnvironmentEntry {
  readonly name: string;
  /** Unquoted. */
  readonly value: Traced;
  /** From 1: the line of the name. */
  readonly line: number;
}

export interface EnvironmentFile {
  /** In the order of the file; of two with one name the later one counts. */
  readonly entries: readonly EnvironmentEntry[];
  readonly problems: readonly TextProblem[];
}

type State =
  | 'before-key'
  | 'key'
  | 'before-value'
  | 'value'
  | 'value-escape'
  | 'single'
  | 'double'
  | 'double-escape'
  | 'comment'
  | 'comment-escape';

const BLANKS = ' \t\n\r';
const LINE_ENDS = '\n\r';
/** What a backslash in double quotes takes the meaning of (SHELL_NEED_ESCAPE, src/basic/escape.h). */
const ESCAPABLE = '"\\`$';

/**
 * A file of `EnvironmentFile=` as systemd reads it, which is not as a shell does (parse_env_file_internal,
 * src/basic/env-file.c): quotes count only where a value begins, nothing is expanded, and text after a closing quote
 * belongs to the value. Each CR is a line end of its own, so that lines of a file with CRLF cannot be joined.
 */
export function parseEnvironmentFile(text: string, path: string): EnvironmentFile {
  const entries: EnvironmentEntry[] = [];
  const problems: TextProblem[] = [];
  let state: State = 'before-key';
  let key = '';
  let keyAt = 0;
  let value = builder(path);
  let line = 1;
  let keyLine = 1;

  const push = (trim: boolean): void => {
    const name = key.replace(/[ \t]+$/, '');
    const read = value.take(trim);
    const fault = nameFault(name);
    if (fault !== undefined) {
      problems.push({
        severity: 'warning',
        code: 'environment-name',
        message: `systemd ignores this line: ${fault}`,
        line: keyLine,
      });
    } else {
      entries.push({ name, value: read, line: keyLine });
    }
    value = builder(path);
    key = '';
  };

  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    const isEnd = LINE_ENDS.includes(char);
    const isBlank = BLANKS.includes(char);
    switch (state) {
      case 'before-key':
        if (char === '#' || char === ';') state = 'comment';
        else if (!isBlank) {
          state = 'key';
          key = char;
          keyAt = at;
          keyLine = line;
        }
        break;
      case 'key':
        if (isEnd) {
          state = 'before-key';
          problems.push(lineWithoutValue(text.slice(keyAt, at), keyLine));
        } else if (char === '=') {
          state = 'before-value';
        } else key += char;
        break;
      case 'before-value':
        if (isEnd) {
          state = 'before-key';
          push(false);
          break;
        }
        if (isBlank) break;
        if (char === "'") state = 'single';
        else if (char === '"') state = 'double';
        else if (char === '\\') state = 'value-escape';
        else {
          state = 'value';
          value.add(char, at, at + 1);
        }
        break;
      case 'value':
        if (isEnd) {
          state = 'before-key';
          push(true);
        } else if (char === '\\') {
          state = 'value-escape';
          value.keepBlanks();
        } else {
          value.add(char, at, at + 1);
          if (isBlank) value.blank();
          else value.keepBlanks();
        }
        break;
      case 'value-escape':
        state = 'value';
        if (!isEnd) value.add(char, at - 1, at + 1);
        break;
      case 'single':
        if (char === "'") state = 'before-value';
        else value.add(char, at, at + 1);
        break;
      case 'double':
        if (char === '"') state = 'before-value';
        else if (char === '\\') state = 'double-escape';
        else value.add(char, at, at + 1);
        break;
      case 'double-escape':
        state = 'double';
        if (ESCAPABLE.includes(char)) value.add(char, at - 1, at + 1);
        else if (char !== '\n') {
          value.add('\\', at - 1, at);
          value.add(char, at, at + 1);
        }
        break;
      case 'comment':
        if (char === '\\') state = 'comment-escape';
        else if (isEnd) state = 'before-key';
        break;
      case 'comment-escape':
        if (isEnd) {
          state = 'before-key';
          problems.push({
            severity: 'warning',
            code: 'environment-comment-backslash',
            message:
              'this comment ends in a backslash, so that a systemd before 254 takes the next line for a comment too',
            line,
          });
        } else state = 'comment';
        break;
    }
    if (char === '\n' || (char === '\r' && text.charAt(at + 1) !== '\n')) line += 1;
  }
  if (state === 'key') problems.push(lineWithoutValue(text.slice(keyAt), keyLine));
  else if (!['before-key', 'comment', 'comment-escape'].includes(state)) {
    if (['single', 'double', 'double-escape'].includes(state)) {
      problems.push({
        severity: 'warning',
        code: 'environment-open-quote',
        message: 'the quote that begins here is not closed, so that the value goes on to the end of the file',
        line: keyLine,
      });
    }
    push(state === 'value');
  }
  return { entries, problems };
}

/** Why systemd refuses a variable's name (env_name_is_valid, src/basic/env-util.c), or undefined. */
export function nameFault(name: string): string | undefined {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return undefined;
  const quoted = JSON.stringify(name);
  if (/^export\s/.test(name)) return `${quoted} is no name of a variable; "export" is for shells`;
  return `${quoted} is no name of a variable`;
}

function lineWithoutValue(text: string, line: number): TextProblem {
  const what = JSON.stringify(text.trim().slice(0, 60));
  return {
    severity: 'warning',
    code: 'environment-no-assignment',
    message: `systemd ignores ${what}, which has no "="`,
    line,
  };
}

function builder(path: string) {
  let text = '';
  let from: Origin[] = [];
  let blanksAt: number | undefined;
  return {
    add(char: string, start: number, end: number): void {
      text += char;
      from.push({ file: path, start, end });
    },
    /** Notes that the last character is a blank, which goes if the value ends with it. */
    blank(): void {
      blanksAt ??= text.length - 1;
    },
    keepBlanks(): void {
      blanksAt = undefined;
    },
    take(trim: boolean): Traced {
      if (text === '') return NOTHING;
      const length = trim && blanksAt !== undefined ? blanksAt : text.length;
      from = from.slice(0, length);
      return { text: text.slice(0, length), from };
    },
  };
}
