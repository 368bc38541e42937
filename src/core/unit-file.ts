import { joinTraced, NOTHING, sliceTraced, type Traced, tracedText, trimTraced } from './traced.ts';

/** A fault in a file of systemd's, by the number of its line from 1. */
export interface TextProblem {
  readonly severity: 'error' | 'warning' | 'info';
  readonly code: string;
  readonly message: string;
  readonly line: number;
}

/** `Key=value` of a unit file, which may go over several lines. */
export interface Assignment {
  readonly section: string;
  readonly key: string;
  /** Lines joined, blanks around it stripped; not unquoted yet. */
  readonly value: Traced;
  /** From 1. */
  readonly firstLine: number;
  /** Offsets of the lines, the last one's end excluded. */
  readonly start: number;
  readonly end: number;
}

export interface UnitFile {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly TextProblem[];
  /** Whether systemd gives up on the file at its last problem: what is above counts, what is below is not read. */
  readonly broken: boolean;
}

interface Line {
  readonly number: number;
  readonly start: number;
  /** Without the line end. */
  readonly end: number;
}

const BYTE_ORDER_MARK = '\ufeff';

/** Stands in decoded text for bytes that are no UTF-8. */
const UNDECODABLE = '\ufffd';

/**
 * A unit file or drop-in as systemd reads it (config_parse, src/shared/conf-parser.c): a backslash at the very end of a
 * line joins the next one by a blank, comment lines in between are left out, an empty line ends it.
 */
export function parseUnitFile(text: string, path: string): UnitFile {
  const assignments: Assignment[] = [];
  const problems: TextProblem[] = [];
  let section: string | undefined;
  let broken = false;

  const take = (line: Traced, first: Line, last: Line): void => {
    const stripped = trimTraced(line);
    const problem = (severity: TextProblem['severity'], code: string, message: string): void => {
      problems.push({ severity, code, message, line: first.number });
    };
    if (stripped.text === '') return;
    if (stripped.text.includes(UNDECODABLE)) {
      problem('error', 'unit-not-utf8', 'systemd stops reading the file here: the line is not UTF-8');
      broken = true;
      return;
    }
    if (stripped.text.startsWith('[')) {
      if (!stripped.text.endsWith(']')) {
        problem('error', 'unit-section-header', 'systemd stops reading the file here: the section header has no "]"');
        broken = true;
        return;
      }
      section = stripped.text.slice(1, -1);
      return;
    }
    if (section === undefined) {
      problem(
        'warning',
        'unit-outside-section',
        'systemd ignores this line, since no section such as [Service] is above it',
      );
      return;
    }
    const equals = stripped.text.indexOf('=');
    if (equals <= 0) {
      const lack = equals < 0 ? 'it has no "="' : 'nothing is before its "="';
      problem('warning', 'unit-no-assignment', `systemd ignores this line, since ${lack}`);
      return;
    }
    assignments.push({
      section,
      key: stripped.text.slice(0, equals).trimEnd(),
      value: trimTraced(sliceTraced(stripped, equals + 1)),
      firstLine: first.number,
      start: first.start,
      end: last.end,
    });
  };

  let joined = NOTHING;
  let first: Line | undefined;
  let last: Line | undefined;
  for (const line of linesOf(text)) {
    if (broken) break;
    const isMarked = line.start === 0 && text.startsWith(BYTE_ORDER_MARK);
    const own = tracedText(path, text, isMarked ? 1 : line.start, line.end);
    if (/^[ \t]*[#;]/.test(own.text)) continue;
    joined = joinTraced([joined, own]);
    first ??= line;
    last = line;
    if (endsEscaped(joined.text)) {
      joined = { text: `${joined.text.slice(0, -1)} `, from: joined.from };
      continue;
    }
    take(joined, first, last);
    joined = NOTHING;
    first = undefined;
  }
  if (first !== undefined && last !== undefined && !broken) take(joined, first, last);
  return { assignments, problems, broken };
}

function endsEscaped(text: string): boolean {
  return (/\\*$/.exec(text)?.[0].length ?? 0) % 2 === 1;
}

/**
 * Lines as systemd cuts them (read_line_full, src/basic/fileio.c): after NL, CR or NUL, where up to one of each in a row
 * is one end, and NUL is always the last of it.
 */
function* linesOf(text: string): Generator<Line> {
  let number = 0;
  for (let start = 0; start < text.length; ) {
    number += 1;
    let end = start;
    while (end < text.length && !'\n\r\0'.includes(text.charAt(end))) end += 1;
    let next = end;
    for (let seen = ''; next < text.length; next += 1) {
      const char = text.charAt(next);
      if (!'\n\r\0'.includes(char) || seen.includes(char) || seen.endsWith('\0')) break;
      seen += char;
    }
    yield { number, start, end };
    start = next;
  }
}
