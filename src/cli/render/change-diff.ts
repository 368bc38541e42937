import { styleText } from 'node:util';
import { createTwoFilesPatch, OMIT_HEADERS } from 'diff';
import type { Conflict } from '../../change/conflict.ts';
import type { FileState } from '../../change/plan.ts';
import { visible } from './visible.ts';

/** Bytes as text: UTF-8, or byte for byte where they are not. */
export function textOf(state: FileState): string {
  if (!state.exists) return '';
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(state.bytes);
  } catch {
    return Buffer.from(state.bytes).toString('latin1');
  }
}

/** The unified diff of two states of a file with three lines around each difference; empty where the text is the same. */
export function diffText(before: FileState, after: FileState): string {
  const [a, b] = [textOf(before), textOf(after)];
  if (a === b) return '';
  return createTwoFilesPatch('', '', a, b, undefined, undefined, { context: 3, headerOptions: OMIT_HEADERS });
}

/** The same for a terminal: indented, coloured where wanted, and with nothing that moves the cursor. */
export function diffLines(before: FileState, after: FileState, colour: boolean): string[] {
  const lines = diffText(before, after).split('\n').slice(0, -1);
  return lines.map((line) => {
    const shown = visible(line);
    const paint = colour ? COLOURS[line.charAt(0)] : undefined;
    return `     ${paint === undefined ? shown : styleText(paint, shown)}`;
  });
}

/** Somebody's work on a file that a change wrote: what the change did to it, and what was done since. */
export function conflictText({ path, before, ours, now }: Conflict, colour: boolean): string {
  const lines = ours
    ? [
        `${visible(path)}: what the change did`,
        ...sideLines(before, ours, colour),
        `${visible(path)}: what was done since`,
        ...sideLines(ours, now, colour),
      ]
    : [`${visible(path)}: what was done since the plan was made`, ...sideLines(before, now, colour)];
  return lines.map((line) => `${line}\n`).join('');
}

/** What changed of mode and owner, in words; empty where nothing did. */
export function modeWords(before: FileState, after: FileState): string {
  if (!after.exists) return '';
  const owner = `${after.uid}:${after.gid}`;
  if (!before.exists) return `mode ${octal(after.mode)}, owner ${owner}`;
  const words = [
    ...(before.mode === after.mode ? [] : [`mode ${octal(before.mode)} → ${octal(after.mode)}`]),
    ...(`${before.uid}:${before.gid}` === owner ? [] : [`owner ${before.uid}:${before.gid} → ${owner}`]),
  ];
  return words.join(', ');
}

const COLOURS: Readonly<Record<string, 'red' | 'green' | 'cyan' | 'dim'>> = {
  '-': 'red',
  '+': 'green',
  '@': 'cyan',
  '\\': 'dim',
};

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function sideLines(from: FileState, to: FileState, colour: boolean): string[] {
  if (!from.exists && !to.exists) return ['     nothing'];
  if (!to.exists) return ['     the file was removed'];
  const words = modeWords(from, to);
  const lines = diffLines(from, to, colour);
  return [
    ...lines,
    ...(words === '' ? [] : [`     ${words}`]),
    ...(lines.length === 0 && words === '' ? ['     nothing'] : []),
  ];
}
