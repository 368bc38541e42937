import { extractWord } from '../../core/extract-word.ts';
import type { Traced } from '../../core/traced.ts';
import type { ServiceCommand } from './command.ts';
import type { PlacedEdit } from './edit.ts';

/** The text in which a word is written, such as the value of `ExecStart=` or of a variable. */
interface Container {
  readonly value: Traced;
  readonly cEscapes: boolean;
  /** A variable's value in a file of `EnvironmentFile=`, which may become empty. */
  readonly isFileValue: boolean;
}

/** Characters that mean themselves in every place where a word can be written. */
const PLAIN = /^[A-Za-z0-9_./:=,@+-]*$/;

/**
 * Ways to write another word in the place of one, the smallest first: only the characters that differ, or all of the word
 * with its quotes. None where no single place holds it. The reader says which one gives what is wanted.
 */
export function replacement(command: ServiceCommand, index: number, text: string): readonly PlacedEdit[] {
  const word = command.words[index]?.traced;
  if (word === undefined || !PLAIN.test(text)) return [];
  let same = 0;
  while (same < word.text.length && same < text.length && word.text[same] === text[same]) same += 1;
  const edits: PlacedEdit[] = [];
  const changed = word.from.slice(same);
  const [first, last] = [changed[0], changed.at(-1)];
  if (first !== undefined && last !== undefined && isOneRun(changed)) {
    const edit = { offset: first.start, length: last.end - first.start, text: text.slice(same) };
    edits.push({ path: first.file, edit });
  } else if (changed.length === 0) {
    const before = word.from.at(-1);
    if (before !== undefined)
      edits.push({ path: before.file, edit: { offset: before.end, length: 0, text: text.slice(same) } });
  }
  const span = writtenSpan(command, word);
  if (span !== undefined)
    edits.push({ path: span.path, edit: { offset: span.start, length: span.end - span.start, text } });
  return edits;
}

function isOneRun(from: Traced['from']): boolean {
  return from.every((origin, at) => {
    const before = from[at - 1];
    return before === undefined || (before.file === origin.file && origin.start >= before.end) || before === origin;
  });
}

interface Span {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly container: Container;
}

/** Where a word is written with its quotes; undefined where it comes from several places or from none. */
function writtenSpan(command: ServiceCommand, word: Traced): Span | undefined {
  const inside = word.from[0];
  if (inside === undefined) return undefined;
  for (const container of containersOf(command)) {
    const { value, cEscapes } = container;
    if (!value.from.some((origin) => origin.file === inside.file && origin.start === inside.start)) continue;
    for (let at = 0; ; ) {
      const found = extractWord(value, at, cEscapes ? { cEscapes, keepUnknown: true } : { cEscapes, relaxed: true });
      if (found === 'end' || found === 'invalid') break;
      at = found.next;
      const holds = found.word.from.some((origin) => origin.file === inside.file && origin.start === inside.start);
      if (!holds) continue;
      const [first, last] = [value.from[found.start], value.from[found.end - 1]];
      if (first === undefined || last === undefined) return undefined;
      return { path: first.file, start: first.start, end: last.end, container };
    }
  }
  return undefined;
}

function containersOf({ execStart, environment }: ServiceCommand): Container[] {
  const line = execStart ? [{ value: execStart.assignment.value, cEscapes: true, isFileValue: false }] : [];
  const variables = [...environment.values()].map(({ traced, setting }) => ({
    value: traced,
    cEscapes: false,
    isFileValue: setting === undefined,
  }));
  return [...line, ...variables];
}

/** Takes words out, with the blanks before them; a line of a continued assignment that becomes empty goes as well. */
export function removals(command: ServiceCommand, words: readonly number[]): readonly PlacedEdit[] {
  const spans = words.flatMap((index) => {
    const word = command.words[index]?.traced;
    const span = word && writtenSpan(command, word);
    return span ? [span] : [];
  });
  return mergeSpans(spans, command).map((span) => {
    const text = command.texts.get(span.path) ?? '';
    const edit = removal(text, span);
    return { path: span.path, edit };
  });
}

/** Spans with only blanks between them on one line, as one. */
function mergeSpans(spans: readonly Span[], { texts }: ServiceCommand): Span[] {
  const merged: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const before = merged.at(-1);
    const between = before && texts.get(span.path)?.slice(before.end, span.start);
    if (
      before !== undefined &&
      before.path === span.path &&
      between !== undefined &&
      /^(?:[ \t]|\\\r?\n)*$/.test(between)
    ) {
      merged[merged.length - 1] = { ...before, end: span.end };
    } else merged.push(span);
  }
  return merged;
}

function removal(text: string, { start, end, container }: Span): { offset: number; length: number; text: string } {
  const { value, isFileValue } = container;
  const [first, last] = [value.from[0], value.from.at(-1)];
  const isAll = first !== undefined && last !== undefined && start <= first.start && end >= last.end;
  if (isAll) {
    const isQuoted = /["']/.test(text.charAt(start - 1));
    return { offset: start, length: end - start, text: isFileValue && !isQuoted ? '""' : '' };
  }
  const isFirst = first !== undefined && start <= first.start;
  let from = start;
  while (/[ \t]/.test(text.charAt(from - 1))) from -= 1;
  const rest = /^[ \t]*/.exec(text.slice(end))?.[0].length ?? 0;
  if (isFirst) return { offset: start, length: end + rest - start, text: '' };
  const isLineStart = text.charAt(from - 1) === '\n';
  if (!isLineStart) return { offset: from, length: end - from, text: '' };
  const lineEnd = /^[ \t]*\\\r?\n/.exec(text.slice(end))?.[0].length;
  if (lineEnd !== undefined) return { offset: from, length: end + lineEnd - from, text: '' };
  if (/^[ \t]*(?:\r?\n|$)/.test(text.slice(end))) {
    const joint = /[ \t]*\\\r?\n$/.exec(text.slice(0, from))?.[0].length ?? 0;
    return { offset: from - joint, length: end - from + joint, text: '' };
  }
  return { offset: start, length: end + rest - start, text: '' };
}
