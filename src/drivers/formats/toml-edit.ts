import type { AST } from 'toml-eslint-parser';
import { applyEdits, lineEndOf } from '../../core/config-text.ts';
import { badInput } from '../../core/errors.ts';
import { nameOf, tomlNodes } from './toml-document.ts';
import {
  blockAfter,
  endOfItem,
  headerFor,
  indentAt,
  keyIndentFor,
  lineAfter,
  pairText,
  scalarText,
} from './toml-style.ts';

export type TomlScalar = string | boolean | number;

/** A key with its value, and the table that it is written in. */
interface Pair {
  readonly node: AST.TOMLKeyValue;
  /** From the root of the document. */
  readonly keys: readonly string[];
  /** The keys of the table or inline table around it. */
  readonly home: readonly string[];
}

/**
 * Sets one value; every other byte stays as it is. A scalar is replaced where it stands; a new key goes after the last
 * one of its table, also of an inline table or of one made by dotted keys; a new table after its nearest relative, in
 * the indentation, quoting and spacing that the file uses. `E_INPUT` where the path leads through something that is no
 * table, ends at one, or leads into an array of tables; `E_SYNTAX` for text that is not TOML.
 */
export function setToml(text: string, keys: readonly string[], value: TomlScalar, path = 'TOML'): string {
  const nodes = tomlNodes(text, path);
  const pairs = nodes.flatMap((node) => pairsOf(node));
  const found = pairs.find((pair) => isSame(pair.keys, keys));
  if (found !== undefined) return replaceScalar(text, keys, found.node.value, value);
  refuseNoTable(nodes, pairs, keys);

  const parent = keys.slice(0, -1);
  const inline = deepest(
    pairs.filter((pair) => pair.node.value.type === 'TOMLInlineTable' && isBelow(keys, pair.keys)),
  );
  if (inline?.node.value.type === 'TOMLInlineTable') {
    return addInline(text, inline.node.value, keys.slice(inline.keys.length), value);
  }
  const tables = tablesOf(nodes);
  const table = tables.find((candidate) => isSame(pathOf(candidate), parent));
  if (table !== undefined) return addPair(text, nodes, table, keys.slice(-1), value);
  const dotted = dottedHome(pairs, tables, parent);
  if (dotted !== undefined) return addDotted(text, dotted.pair, dotted.shared, keys, value);
  if (parent.length === 0) return addTop(text, nodes, keys, value);
  return addTable(text, nodes, tables, keys, value);
}

/** Removes a key with its line, or with its comma in an inline table; every other byte stays. Unchanged where it is absent. */
export function removeToml(text: string, keys: readonly string[], path = 'TOML'): string {
  const found = tomlNodes(text, path)
    .flatMap((node) => pairsOf(node))
    .find((pair) => isSame(pair.keys, keys));
  if (found === undefined) return text;
  const { node } = found;
  if (node.parent.type === 'TOMLInlineTable') return removeInline(text, node, node.parent);
  const start = text.lastIndexOf('\n', node.range[0] - 1) + 1;
  const end = lineAfter(text, node.range[1]);
  const isLast = end === text.length && !text.endsWith('\n');
  const from = isLast ? text.slice(0, start).replace(/\r?\n$/, '').length : start;
  return applyEdits(text, [{ offset: from, length: end - from, text: '' }]);
}

function replaceScalar(text: string, keys: readonly string[], node: AST.TOMLContentNode, value: TomlScalar): string {
  if (node.type !== 'TOMLValue') {
    throw badInput(`${keys.join('.')} is ${node.type === 'TOMLArray' ? 'an array' : 'a table'}, not a single value`);
  }
  if (node.value === value) return text;
  const [offset, end] = node.range;
  const style = node.kind === 'string' ? node.style : undefined;
  return applyEdits(text, [{ offset, length: end - offset, text: scalarText(value, text, style) }]);
}

function addPair(
  text: string,
  nodes: readonly (AST.TOMLKeyValue | AST.TOMLTable)[],
  table: AST.TOMLTable,
  names: readonly string[],
  value: TomlScalar,
): string {
  const last = table.body.at(-1);
  const indent = last === undefined ? keyIndentFor(text, nodes, table) : indentAt(text, last.range[0]);
  return addLine(text, endOfItem(text, last ?? table), indent + pairText(text, last, names, value));
}

function addTop(
  text: string,
  nodes: readonly (AST.TOMLKeyValue | AST.TOMLTable)[],
  keys: readonly string[],
  value: TomlScalar,
): string {
  const last = nodes.findLast((node) => node.type === 'TOMLKeyValue');
  if (last !== undefined)
    return addLine(text, last.range[1], indentAt(text, last.range[0]) + pairText(text, last, keys, value));
  const eol = lineEndOf(text);
  const line = `${pairText(text, undefined, keys, value)}${eol}`;
  if (nodes.length > 0) return line + eol + text;
  const needsEnd = text !== '' && !text.endsWith('\n');
  return needsEnd ? text + eol + line.slice(0, -eol.length) : text + line;
}

/** In a table that dotted keys make, which TOML lets nobody open by a header. */
function addDotted(
  text: string,
  { node, home }: Pair,
  shared: number,
  keys: readonly string[],
  value: TomlScalar,
): string {
  const written = node.key.keys.slice(0, shared - home.length).map(({ range }) => text.slice(...range));
  const line = pairText(text, node, keys.slice(shared), value);
  return addLine(text, node.range[1], `${indentAt(text, node.range[0])}${[...written, line].join('.')}`);
}

function addInline(text: string, table: AST.TOMLInlineTable, names: readonly string[], value: TomlScalar): string {
  const last = table.body.at(-1);
  const pair = pairText(text, last, names, value);
  if (last === undefined) {
    const [offset, end] = table.range;
    return applyEdits(text, [{ offset, length: end - offset, text: `{ ${pair} }` }]);
  }
  return applyEdits(text, [{ offset: last.range[1], length: 0, text: `, ${pair}` }]);
}

function removeInline(text: string, node: AST.TOMLKeyValue, table: AST.TOMLInlineTable): string {
  const at = table.body.indexOf(node);
  const [next, before] = [table.body[at + 1], table.body[at - 1]];
  const [start, end] = node.range;
  if (next !== undefined) return applyEdits(text, [{ offset: start, length: next.range[0] - start, text: '' }]);
  const from = before === undefined ? start : before.range[1];
  return applyEdits(text, [{ offset: from, length: end - from, text: '' }]);
}

function addTable(
  text: string,
  nodes: readonly (AST.TOMLKeyValue | AST.TOMLTable)[],
  tables: readonly AST.TOMLTable[],
  keys: readonly string[],
  value: TomlScalar,
): string {
  const parent = keys.slice(0, -1);
  const { indent, keyIndent, header, isSpaced } = headerFor(text, nodes, tables, parent);
  const like = tables.findLast(({ body }) => body.length > 0)?.body.at(-1);
  const line = `${indent}[${header}]`;
  const nearest = deepestRelative(tables, parent);
  const eol = lineEndOf(text);
  const lines = `${line}${eol}${keyIndent}${pairText(text, like, keys.slice(-1), value)}`;
  const at = nearest === undefined ? undefined : blockAfter(text, endOfItem(text, nearest.body.at(-1) ?? nearest));
  return addLine(text, at ?? Math.max(text.trimEnd().length, 0), isSpaced && text.trim() !== '' ? eol + lines : lines);
}

/** A line of its own after the one that holds `offset`; a file without final newline keeps to that. */
function addLine(text: string, offset: number, line: string): string {
  const eol = lineEndOf(text);
  if (text.trim() === '' && offset === 0) return `${text}${line}${eol}`;
  const at = lineAfter(text, offset);
  const isOpen = at === text.length && !text.endsWith('\n');
  return applyEdits(text, [{ offset: at, length: 0, text: isOpen ? eol + line : line + eol }]);
}

/** The last table of those that share most of the path. */
function deepestRelative(tables: readonly AST.TOMLTable[], path: readonly string[]): AST.TOMLTable | undefined {
  const best = Math.max(0, ...tables.map((table) => sharedLength(pathOf(table), path)));
  return best === 0 ? undefined : tables.findLast((table) => sharedLength(pathOf(table), path) === best);
}

/** The last key that makes the deepest table above `parent` by dots, if no header reaches deeper. */
function dottedHome(
  pairs: readonly Pair[],
  tables: readonly AST.TOMLTable[],
  parent: readonly string[],
): { readonly pair: Pair; readonly shared: number } | undefined {
  const byHeader = Math.max(0, ...tables.map((table) => sharedLength(pathOf(table), parent)));
  const sharedBy = ({ keys, home }: Pair): number => {
    const shared = Math.min(sharedLength(keys, parent), keys.length - 1);
    return shared > home.length ? shared : 0;
  };
  const shared = Math.max(0, ...pairs.map(sharedBy));
  const pair = pairs.findLast((candidate) => sharedBy(candidate) === shared);
  return pair === undefined || shared === 0 || shared < byHeader ? undefined : { pair, shared };
}

function refuseNoTable(
  nodes: readonly (AST.TOMLKeyValue | AST.TOMLTable)[],
  pairs: readonly Pair[],
  keys: readonly string[],
): void {
  const above = pairs.find((pair) => pair.node.value.type !== 'TOMLInlineTable' && isBelow(keys, pair.keys));
  if (above !== undefined) throw badInput(`${above.keys.join('.')} is not a table`);
  const headers = nodes.flatMap((node) => (node.type === 'TOMLTable' ? [node.resolvedKey.map(String)] : []));
  const isTable = [...headers, ...pairs.map((pair) => pair.keys)].some(
    (path) => isSame(path, keys) || isBelow(path, keys),
  );
  if (isTable) throw badInput(`${keys.join('.')} is a table, not a single value`);
  const array = nodes.find(
    (node) => node.type === 'TOMLTable' && node.kind === 'array' && isBelow(keys, node.key.keys.map(nameOf)),
  );
  if (array !== undefined) throw badInput(`${keys.join('.')} is in an array of tables`);
}

function tablesOf(nodes: readonly (AST.TOMLKeyValue | AST.TOMLTable)[]): readonly AST.TOMLTable[] {
  return nodes.filter(
    (node) => node.type === 'TOMLTable' && node.resolvedKey.every((part) => typeof part === 'string'),
  ) as AST.TOMLTable[];
}

function pathOf(table: AST.TOMLTable): readonly string[] {
  return table.key.keys.map(nameOf);
}

function pairsOf(node: AST.TOMLKeyValue | AST.TOMLTable, home: readonly string[] = []): readonly Pair[] {
  if (node.type === 'TOMLTable') {
    return node.resolvedKey.every((part) => typeof part === 'string')
      ? node.body.flatMap((pair) => pairsOf(pair, pathOf(node)))
      : [];
  }
  const keys = [...home, ...node.key.keys.map(nameOf)];
  const inner = node.value.type === 'TOMLInlineTable' ? node.value.body : [];
  return [{ node, keys, home }, ...inner.flatMap((pair) => pairsOf(pair, keys))];
}

function deepest(pairs: readonly Pair[]): Pair | undefined {
  return [...pairs].sort((a, b) => b.keys.length - a.keys.length)[0];
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && sharedLength(a, b) === a.length;
}

/** Whether `path` is below `prefix`, not the same. */
function isBelow(path: readonly string[], prefix: readonly string[]): boolean {
  return path.length > prefix.length && sharedLength(path, prefix) === prefix.length;
}

function sharedLength(a: readonly string[], b: readonly string[]): number {
  const differs = a.findIndex((part, at) => part !== b[at]);
  return differs === -1 ? a.length : differs;
}
