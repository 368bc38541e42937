import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  type ParsedNode,
  parseAllDocuments,
  visit,
  type YAMLMap,
} from 'yaml';
import { positionAt, syntaxError } from '../../core/config-text.ts';
import { isTemplateAt, TEMPLATE_HINT } from './template.ts';

/** One value with its place: line and column are those of its key, `range` holds the offsets of the value itself. */
export interface YamlValue {
  readonly value: unknown;
  readonly line: number;
  readonly column: number;
  readonly range: readonly [start: number, end: number];
}

export interface YamlKey {
  readonly keys: readonly string[];
  readonly line: number;
  readonly column: number;
}

/** One document of a file. */
export interface YamlDocument {
  /** The document as plain data; null for an empty one. Of a key that is there twice, the last counts. */
  readonly value: unknown;
  /** Where its content begins. */
  readonly line: number;
  readonly column: number;
  /** A value, aliases and merge keys (`<<`) followed; undefined where there is no such key. */
  get(keys: readonly string[]): YamlValue | undefined;
  /** Each key that repeats an earlier one of its mapping. */
  duplicateKeys(): readonly YamlKey[];
}

export interface YamlFile {
  readonly path: string;
  /** At least one: that of an empty file is null. */
  readonly documents: readonly YamlDocument[];
  /** From the first document, which is the only one that most programs read. */
  get(keys: readonly string[]): YamlValue | undefined;
}

/** A document with the offsets of everything in it. */
export type YamlTree = Document.Parsed<ParsedNode>;

/**
 * The documents of a YAML text, each with its offsets; none for an empty text. As YAML 1.1, which the parser of
 * Kubernetes speaks (go-yaml v2 in sigs.k8s.io/yaml): `yes` and `on` are true. `E_SYNTAX` with line and column.
 */
export function parseTrees(text: string, path: string): readonly YamlTree[] {
  const parsed = parseAllDocuments(text, {
    version: '1.1',
    uniqueKeys: false,
    prettyErrors: false,
    keepSourceTokens: true,
    logLevel: 'error',
  });
  const trees = 'empty' in parsed ? [] : parsed;
  for (const tree of trees) {
    const [error] = tree.errors;
    if (error) {
      const hint = isTemplateAt(text, error.pos[0]) ? TEMPLATE_HINT : undefined;
      throw syntaxError(path, positionAt(text, error.pos[0]), inOneLine(error.message), hint);
    }
    visit(tree, {
      Alias(_, alias, above) {
        const fault = aliasFault(tree, alias, above);
        if (fault) throw syntaxError(path, positionAt(text, alias.range?.[0] ?? 0), fault);
      },
    });
  }
  return trees;
}

function aliasFault(tree: YamlTree, alias: Alias, above: readonly unknown[]): string | undefined {
  const target = alias.resolve(tree);
  if (!target) return `the alias *${alias.source} names no anchor`;
  return above.includes(target) ? `the alias *${alias.source} is part of what it stands for` : undefined;
}

/** Reads YAML, which JSON is a part of. `E_SYNTAX` with line and column, also for an alias without its anchor. */
export function parseYaml(text: string, path: string): YamlFile {
  const trees = parseTrees(text, path);
  const documents = trees.length === 0 ? [EMPTY] : trees.map((tree) => asDocument(tree, text, path));
  return { path, documents, get: (keys) => documents[0]?.get(keys) };
}

/** The name of a pair's key as JSON would have it, or undefined for a key that is no scalar. */
export function keyName(pair: Pair): string | undefined {
  const { key } = pair;
  return isScalar(key) && typeof key.value !== 'symbol' ? String(key.value) : undefined;
}

/** The pair that counts for a name: the last one. */
export function findPair(map: YAMLMap, name: string): Pair | undefined {
  return map.items.findLast((pair) => keyName(pair) === name);
}

const EMPTY: YamlDocument = { value: null, line: 1, column: 1, get: () => undefined, duplicateKeys: () => [] };

function asDocument(tree: YamlTree, text: string, path: string): YamlDocument {
  const root = tree.contents;
  const start = positionAt(text, root?.range?.[0] ?? 0);
  return {
    value: plain(tree, root, text, path),
    ...start,
    get(keys) {
      let found: Pair | undefined;
      let node: unknown = root;
      for (const name of keys) {
        found = lookUp(tree, node, name);
        if (!found) return undefined;
        node = found.value;
      }
      if (!found) return undefined;
      const key = offsetsOf(found.key)?.[0] ?? 0;
      const [from, to] = offsetsOf(node) ?? [key, key];
      return { value: plain(tree, node, text, path), ...positionAt(text, key), range: [from, to] };
    },
    duplicateKeys() {
      const twice: YamlKey[] = [];
      collectDuplicates(root, [], text, twice);
      return twice;
    },
  };
}

/** A key of the mapping itself, else one that it merges in. */
function lookUp(tree: YamlTree, node: unknown, name: string): Pair | undefined {
  const map = isAlias(node) ? node.resolve(tree) : node;
  if (!isMap(map)) return undefined;
  const own = findPair(map, name);
  if (own) return own;
  for (const pair of map.items.filter((item) => isScalar(item.key) && typeof item.key.value === 'symbol')) {
    const sources = isSeq(pair.value) ? pair.value.items : [pair.value];
    for (const source of sources) {
      const merged = lookUp(tree, source, name);
      if (merged) return merged;
    }
  }
  return undefined;
}

function collectDuplicates(node: unknown, above: readonly string[], text: string, found: YamlKey[]): void {
  if (isSeq(node))
    for (const [at, item] of node.items.entries()) collectDuplicates(item, [...above, String(at)], text, found);
  if (!isMap(node)) return;
  const seen = new Set<string>();
  for (const pair of node.items) {
    const name = keyName(pair);
    if (name === undefined) continue;
    const keys = [...above, name];
    if (seen.has(name)) found.push({ keys, ...positionAt(text, offsetsOf(pair.key)?.[0] ?? 0) });
    seen.add(name);
    collectDuplicates(pair.value, keys, text, found);
  }
}

/** Start and end of a node's own text, without the blanks and comments after it. */
export function offsetsOf(node: unknown): readonly [number, number] | undefined {
  if (!isScalar(node) && !isMap(node) && !isSeq(node) && !isAlias(node)) return undefined;
  return node.range ? [node.range[0], node.range[1]] : undefined;
}

/** A node as plain data. The library refuses what aliases blow up to more than a hundredfold. */
function plain(tree: YamlTree, node: unknown, text: string, path: string): unknown {
  if (!isScalar(node) && !isMap(node) && !isSeq(node) && !isAlias(node)) return null;
  try {
    return node.toJS(tree);
  } catch (error) {
    const at = positionAt(text, offsetsOf(node)?.[0] ?? 0);
    throw syntaxError(path, at, inOneLine(error instanceof Error ? error.message : String(error)));
  }
}

function inOneLine(message: string): string {
  return message.replace(/\s+/g, ' ').trim();
}
