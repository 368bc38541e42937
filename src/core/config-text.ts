import { quote, SlicectlError } from './errors.ts';

/** A configuration file as text, with what must be the same again when it is written. */
export interface ConfigText {
  /** Without the byte order mark. */
  readonly text: string;
  readonly bom: boolean;
}

/** Replaces `length` UTF-16 units at `offset` by `text`. */
export interface TextEdit {
  readonly offset: number;
  readonly length: number;
  readonly text: string;
}

const BOM = '\ufeff';

/** The text of a file. `E_SYNTAX` for one that is not UTF-8: it could not be written back as it was. */
export function decodeConfig(bytes: Uint8Array, path: string): ConfigText {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16) throw notUtf8(path, 'is UTF-16');
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith(BOM) ? { text: text.slice(1), bom: true } : { text, bom: false };
  } catch {
    throw notUtf8(path, 'is not UTF-8');
  }
}

export function encodeConfig({ text, bom }: ConfigText): Uint8Array {
  return new TextEncoder().encode(bom ? BOM + text : text);
}

/** Carries out edits that do not overlap, in any order. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  return [...edits]
    .sort((a, b) => b.offset - a.offset)
    .reduce((now, edit) => now.slice(0, edit.offset) + edit.text + now.slice(edit.offset + edit.length), text);
}

/** Line and column of an offset, both from 1. */
export function positionAt(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

/** The line end that a text uses: that of its first line. */
export function lineEndOf(text: string): '\n' | '\r\n' {
  const at = text.indexOf('\n');
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}

/** The error for a fault in a configuration file: `/etc/docker/daemon.json:3:7: …`. */
export function syntaxError(
  path: string,
  at: { readonly line: number; readonly column: number } | undefined,
  message: string,
  hint?: string,
): SlicectlError {
  const place = at === undefined ? path : `${path}:${at.line}:${at.column}`;
  return new SlicectlError('E_SYNTAX', `${place}: ${message}`, { ...(hint && { hint }), data: { path, ...at } });
}

function notUtf8(path: string, what: string): SlicectlError {
  return new SlicectlError('E_SYNTAX', `${quote(path)} ${what}`, {
    hint: 'save it as UTF-8 without a byte order mark',
    data: { path },
  });
}
