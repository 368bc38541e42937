import type { AST } from 'toml-eslint-parser';
import { nameOf } from './toml-document.ts';

type Item = AST.TOMLKeyValue | AST.TOMLTable;

/** How a new table is written in a file. */
export interface HeaderStyle {
  readonly indent: string;
  readonly keyIndent: string;
  /** The dotted path between the brackets. */
  readonly header: string;
  /** Whether a blank line goes above it. */
  readonly isSpaced: boolean;
}

/** A table in the style of its relatives: parts that a relative has are written as there. */
export function headerFor(
  text: string,
  nodes: readonly Item[],
  tables: readonly AST.TOMLTable[],
  path: readonly string[],
): HeaderStyle {
  const byNearness = [...tables].sort((a, b) => shared(b, path) - shared(a, path));
  const written = byNearness[0]?.key.keys
    .slice(0, shared(byNearness[0], path))
    .map(({ range }) => text.slice(...range));
  const quote = tables.flatMap(({ key }) => key.keys).find((part) => part.type === 'TOMLQuoted');
  const rest = path.slice(written?.length ?? 0).map((name) => keyText(name, quote?.style ?? 'basic'));
  const indent = tableIndent(text, byNearness, path);
  const like = byNearness.find(({ body }) => body.length > 0);
  const step = like === undefined ? '' : stepOf(text, like, like.body[0]);
  const spaced = nodes.slice(1).filter((node) => node.type === 'TOMLTable');
  const blank = spaced.filter((node) => isBlankAbove(text, node.range[0])).length;
  return {
    indent,
    keyIndent: indent + step,
    header: [...(written ?? []), ...rest].join('.'),
    isSpaced: spaced.length === 0 || blank * 2 >= spaced.length,
  };
}

/** The indentation of keys in a table that has none yet: that of another table's, relative to its header. */
export function keyIndentFor(text: string, nodes: readonly Item[], table: AST.TOMLTable): string {
  const like = nodes.find((node) => node.type === 'TOMLTable' && node.body.length > 0);
  const step = like?.type === 'TOMLTable' ? stepOf(text, like, like.body[0]) : '';
  return indentAt(text, table.range[0]) + step;
}

/** The white space before an item on its line. */
export function indentAt(text: string, offset: number): string {
  return /[ \t]*$/.exec(text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset))?.[0] ?? '';
}

/** `name = value`, spaced as the pair that it is put beside. */
export function pairText(
  text: string,
  like: Item | undefined,
  names: readonly string[],
  value: string | boolean | number,
): string {
  const between = like?.type === 'TOMLKeyValue' ? text.slice(like.key.range[1], like.value.range[0]) : '';
  const equals = /^ ?= ?$/.test(between) ? between : ' = ';
  return `${names.map((name) => keyText(name, 'basic')).join('.')}${equals}${scalarText(value, text)}`;
}

/** A value as TOML writes it; strings in the given style, else in the one that the file uses for its first string. */
export function scalarText(value: string | boolean | number, text: string, style?: 'basic' | 'literal'): string {
  if (typeof value === 'number') {
    if (value === Number.POSITIVE_INFINITY) return 'inf';
    if (value === Number.NEGATIVE_INFINITY) return '-inf';
    return Number.isNaN(value) ? 'nan' : String(value).replace(/e\+/, 'e');
  }
  if (typeof value === 'boolean') return String(value);
  const first = /=[ \t]*(["'])/.exec(text)?.[1];
  return stringText(value, style ?? (first === "'" ? 'literal' : 'basic'));
}

/** Where an item ends: a pair with its value, a table without pairs with the bracket of its header. */
export function endOfItem(text: string, item: Item): number {
  if (item.type === 'TOMLKeyValue') return item.range[1];
  const close = text.indexOf(']', item.key.range[1]);
  return item.kind === 'array' ? close + 2 : close + 1;
}

/** The start of the line after the one with `offset`, or the end of the text. */
export function lineAfter(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

/**
 * An offset in the last line that belongs to the item that ends at `offset`: comments directly below it do, unless a
 * header follows them without a blank line, to which they then belong.
 */
export function blockAfter(text: string, offset: number): number {
  let last = offset;
  for (let at = lineAfter(text, offset); at < text.length; at = lineAfter(text, at)) {
    const line = text.slice(at, lineAfter(text, at)).trim();
    if (line.startsWith('[')) return offset;
    if (!line.startsWith('#')) break;
    last = at;
  }
  return last;
}

function keyText(name: string, style: 'basic' | 'literal'): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : stringText(name, style);
}

function stringText(value: string, style: 'basic' | 'literal'): string {
  const isPlain = !/['\u0000-\u0008\u000a-\u001f\u007f]/.test(value);
  if (style === 'literal' && isPlain) return `'${value}'`;
  const escaped = value.replace(/["\\\u0000-\u001f\u007f]/g, (c) => {
    if (c === '"' || c === '\\') return `\\${c}`;
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

/** As a relative of the same depth has it; else as the nearest above, one step further for each level. */
function tableIndent(text: string, byNearness: readonly AST.TOMLTable[], path: readonly string[]): string {
  const relatives = byNearness.filter((table) => shared(table, path) > 0);
  const peer = relatives.find(({ key }) => key.keys.length === path.length);
  if (peer !== undefined) return indentAt(text, peer.range[0]);
  const above = relatives[0];
  if (above === undefined) return '';
  const indent = indentAt(text, above.range[0]);
  const levels = path.length - above.key.keys.length;
  return levels > 0 ? indent + levelStep(text, relatives).repeat(levels) : indent;
}

/** What a table is indented more than the one directly above it in the tree, by the first such two of the file. */
function levelStep(text: string, tables: readonly AST.TOMLTable[]): string {
  for (const table of tables) {
    const names = table.key.keys.map(nameOf);
    const parent = tables.find(
      (other) => other.key.keys.length === names.length - 1 && shared(other, names) === names.length - 1,
    );
    if (parent !== undefined) return stepOf(text, parent, table);
  }
  return '';
}

function stepOf(text: string, outer: Item, inner: Item | undefined): string {
  const outside = indentAt(text, outer.range[0]);
  const inside = inner === undefined ? outside : indentAt(text, inner.range[0]);
  return inside.startsWith(outside) ? inside.slice(outside.length) : '';
}

/** Whether there is a blank line above an item and the comments that stand directly on it. */
function isBlankAbove(text: string, offset: number): boolean {
  const lines = text.slice(0, offset).split('\n').slice(0, -1);
  const above = lines.findLast((line) => !line.trim().startsWith('#'));
  return above?.trim() === '';
}

function shared(table: AST.TOMLTable, path: readonly string[]): number {
  const names = table.key.keys.map(nameOf);
  const differs = names.findIndex((name, at) => name !== path[at]);
  return differs === -1 ? names.length : differs;
}
