/** Where one character of a value is written: what stands for it in its file, such as an escape or a specifier. */
export interface Origin {
  /** Path of the file. */
  readonly file: string;
  /** Offsets into the file's text, the end excluded. */
  readonly start: number;
  readonly end: number;
}

/** Text that knows of each of its UTF-16 units where it is written. */
export interface Traced {
  readonly text: string;
  /** As long as the text. */
  readonly from: readonly Origin[];
}

export const NOTHING: Traced = { text: '', from: [] };

/** The text of a file between two offsets. */
export function tracedText(file: string, text: string, start: number, end: number): Traced {
  const part = text.slice(start, end);
  const from = part.split('').map((_, index) => ({ file, start: start + index, end: start + index + 1 }));
  return { text: part, from };
}

export function sliceTraced({ text, from }: Traced, start: number, end = text.length): Traced {
  return { text: text.slice(start, end), from: from.slice(start, end) };
}

export function joinTraced(parts: readonly Traced[]): Traced {
  return { text: parts.map(({ text }) => text).join(''), from: parts.flatMap(({ from }) => from) };
}

/** A text all of which is written as one thing, such as the value of a specifier. */
export function standingFor(text: string, origin: Origin): Traced {
  return { text, from: text.split('').map(() => origin) };
}

/** From the first character's first to the last one's end; undefined for an empty text, or one from several files. */
export function spanOf({ from }: Traced): Origin | undefined {
  const [first] = from;
  const last = from.at(-1);
  if (first === undefined || last === undefined) return undefined;
  if (from.some(({ file }) => file !== first.file)) return undefined;
  return { file: first.file, start: first.start, end: last.end };
}

/** Without the blanks and line ends around it that systemd strips (WHITESPACE, src/basic/string-util.h). */
export function trimTraced(value: Traced): Traced {
  const start = /^[ \t\n\r]*/.exec(value.text)?.[0].length ?? 0;
  const end = value.text.replace(/[ \t\n\r]+$/, '').length;
  return sliceTraced(value, start, Math.max(start, end));
}
