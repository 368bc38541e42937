import { isDeepStrictEqual } from 'node:util';
import { isCollection, isMap, isScalar, type Pair, Scalar, type YAMLMap } from 'yaml';
import { applyEdits, lineEndOf, positionAt, syntaxError, type TextEdit } from '../../core/config-text.ts';
import { setJson } from './json.ts';
import { findPair, keyName, offsetsOf, parseTrees, type YamlTree } from './yaml.ts';

export type YamlScalar = string | number | boolean;

export interface SetYamlOptions {
  /** For errors. */
  readonly path?: string;
  /** Which document of the file, from 0; the first without it. */
  readonly document?: number;
  /** Keys after which a new one belongs, the best first, where the mapping is not in alphabetical order. */
  readonly after?: readonly string[];
}

/** Keys that stand first in the files of Kubernetes, whatever the order of the others. */
const HEADERS = ['apiVersion', 'kind'];

/**
 * Sets one value and leaves every other byte: comments, quotes, line ends, blanks, the final newline or its absence.
 * A new key goes where the order of the mapping has it, else after a related key, else to the mapping's end. JSON stays
 * JSON. Of a key that is there twice, the last is set, which is the one that counts. The result is read again and
 * compared: `E_SYNTAX` where the edit cannot be made without changing something else, such as the aliases of an anchor.
 */
export function setYaml(
  text: string,
  keys: readonly string[],
  value: YamlScalar,
  options: SetYamlOptions = {},
): string {
  const { path = 'the YAML text', document = 0 } = options;
  const before = parseTrees(text, path);
  const edited = isJson(text) ? setJson(text, keys, value) : edit(text, before, keys, value, path, options);
  const expected = before.length === 0 ? [null] : before.map(plain);
  expected[document] = withValue(expected[document], keys, value);
  if (!isDeepStrictEqual(parseTrees(edited, path).map(plain), expected)) throw unable(path, text, before[document]);
  return edited;
}

function edit(
  text: string,
  trees: readonly YamlTree[],
  keys: readonly string[],
  value: YamlScalar,
  path: string,
  options: SetYamlOptions,
): string {
  const tree = trees[options.document ?? 0];
  let node: unknown = tree?.contents;
  const rest = [...keys];
  let pair: Pair | undefined;
  while (isMap(node) && rest[0] !== undefined) {
    const next = findPair(node, rest[0]);
    if (!next) return applyEdits(text, [insertion(text, node, rest, value, options.after ?? [])]);
    rest.shift();
    pair = next;
    node = next.value;
  }
  if (rest.length === 0 && pair) return applyEdits(text, [replacement(text, pair, value)]);
  const isBlank = pair === undefined && trees.length <= 1 && (node == null || (isScalar(node) && node.source === ''));
  if (!isBlank) throw unable(path, text, tree);
  const eol = lineEndOf(text);
  return `${text}${text === '' || text.endsWith('\n') ? '' : eol}${nested(rest, value, '', eol)}${eol}`;
}

function replacement(text: string, pair: Pair, value: YamlScalar): TextEdit {
  const node = pair.value;
  const colon = colonEnd(pair);
  const [from, to] = offsetsOf(node) ?? [colon, colon];
  if (from === to) return { offset: colon, length: 0, text: ` ${scalarText(value)}` };
  if (isCollection(node) && !node.flow) {
    const end = from + text.slice(from, to).trimEnd().length;
    return { offset: colon, length: end - colon, text: ` ${scalarText(value)}` };
  }
  const style = isScalar(node) ? node.type : undefined;
  const isBlock = style === Scalar.BLOCK_LITERAL || style === Scalar.BLOCK_FOLDED;
  const end = isBlock ? from + text.slice(from, to).trimEnd().length : to;
  return { offset: from, length: end - from, text: scalarText(value, style) };
}

function insertion(
  text: string,
  map: YAMLMap,
  keys: readonly string[],
  value: YamlScalar,
  after: readonly string[],
): TextEdit {
  const eol = lineEndOf(text);
  const [start = 0, end = 0] = offsetsOf(map) ?? [];
  const neighbour = neighbourOf(map, keys[0] ?? '', after);
  if (!neighbour) return { offset: start, length: end - start, text: `{${nestedFlow(keys, value, false)}}` };
  const keyStart = offsetsOf(neighbour.key)?.[0] ?? start;
  const column = positionAt(text, keyStart).column - 1;
  const lead = text.slice(keyStart - column, keyStart);
  if (map.flow) {
    const separator = lead.trim() === '' ? `,${eol}${lead}` : ', ';
    const inQuotes = isScalar(neighbour.key) && neighbour.key.type === Scalar.QUOTE_DOUBLE;
    const offset = contentEnd(text, neighbour);
    return { offset, length: 0, text: separator + nestedFlow(keys, value, inQuotes) };
  }
  const lines = nested(keys, value, ' '.repeat(column), eol);
  const offset = endOfLines(text, contentEnd(text, neighbour), column);
  const isLast = offset === text.length && !text.endsWith('\n');
  return { offset, length: 0, text: isLast ? eol + lines : lines + eol };
}

/** The pair after which a new key belongs. */
function neighbourOf(map: YAMLMap, name: string, after: readonly string[]): Pair | undefined {
  const named = map.items.map((pair) => ({ pair, key: keyName(pair) ?? '' }));
  const body = named.filter(({ key }) => !HEADERS.includes(key));
  const isSorted = body.length > 2 && body.every(({ key }, at) => at === 0 || (body[at - 1]?.key ?? '') <= key);
  const inOrder = isSorted ? body.findLast(({ key }) => key < name)?.pair : undefined;
  const related = after.map((key) => findPair(map, key)).find((pair) => pair !== undefined);
  return inOrder ?? related ?? map.items.at(-1);
}

/** Where the text of a pair ends, without blanks and comments after it. */
function contentEnd(text: string, pair: Pair): number {
  const { value } = pair;
  if (isCollection(value) && !value.flow) {
    const last = value.items.at(-1);
    if (isMap(value) && last) return contentEnd(text, last as Pair);
  }
  const [from, to] = offsetsOf(value) ?? [0, 0];
  if (from === to) return colonEnd(pair);
  return from + text.slice(from, to).trimEnd().length;
}

/** The start of the line after an offset, and after lines of comment that are indented below the mapping's keys. */
function endOfLines(text: string, from: number, column: number): number {
  const nextLine = (at: number): number => {
    const newline = text.indexOf('\n', at);
    return newline === -1 ? text.length : newline + 1;
  };
  let at = nextLine(from);
  for (;;) {
    const comment = /^[ ]*(?=#)/.exec(text.slice(at, nextLine(at)));
    if (!comment || comment[0].length <= column) return at;
    at = nextLine(at);
  }
}

function colonEnd(pair: Pair): number {
  const colon = pair.srcToken?.sep?.find((token) => token.type === 'map-value-ind');
  return colon ? colon.offset + 1 : (offsetsOf(pair.key)?.[1] ?? 0);
}

/** `a:`, and below it `b: value`. */
function nested(keys: readonly string[], value: YamlScalar, indent: string, eol: string): string {
  return keys
    .map((key, depth) => `${indent}${'  '.repeat(depth)}${scalarText(key)}:`)
    .join(eol)
    .concat(` ${scalarText(value)}`);
}

function nestedFlow(keys: readonly string[], value: YamlScalar, inQuotes: boolean): string {
  const style = inQuotes ? Scalar.QUOTE_DOUBLE : undefined;
  const names = keys.map((key) => `${scalarText(key, style)}: `);
  return `${names.join('{')}${scalarText(value, style)}${'}'.repeat(keys.length - 1)}`;
}

/** Words that YAML 1.1 takes for something else than text. */
const NO_TEXT = /^(y|n|yes|no|on|off|true|false|null|nan|inf)$/i;

function scalarText(value: YamlScalar, style?: string | null): string {
  if (typeof value !== 'string') return String(value);
  if (style === Scalar.QUOTE_SINGLE && /^[\x20-\x7e]*$/.test(value)) return `'${value.replaceAll("'", "''")}'`;
  const isPlain = /^[A-Za-z_/][\w./-]*$/.test(value) && !NO_TEXT.test(value);
  return isPlain && style !== Scalar.QUOTE_DOUBLE ? value : JSON.stringify(value);
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

function plain(tree: YamlTree): unknown {
  return tree.toJS() ?? null;
}

function withValue(data: unknown, keys: readonly string[], value: YamlScalar): unknown {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  const map = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  return { ...map, [key]: withValue(map[key], rest, value) };
}

function unable(path: string, text: string, tree: YamlTree | undefined): Error {
  const at = positionAt(text, tree?.contents?.range?.[0] ?? 0);
  const message = 'this part cannot be changed without changing something else with it';
  return syntaxError(path, at, message, 'write the value by hand: anchors, tags or an odd layout stand in the way');
}
