import type { TomlDocument, TomlValue } from '../formats/toml.ts';

/** Where a value or a table is written. */
export interface Place {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Its keys in that file, which merging and migration do not change. */
  readonly keys: readonly string[];
}

export interface Leaf {
  readonly kind: 'leaf';
  readonly value: TomlValue;
  readonly at: Place;
}

/** Of a merged table `at` is where the last of its files has it. */
export interface Table {
  readonly kind: 'table';
  readonly at: Place;
  readonly below: ReadonlyMap<string, Node>;
}

export type Node = Leaf | Table;

/** A document as a tree that knows where all of it is written. */
export function treeOf(document: TomlDocument, keys: readonly string[] = []): Table {
  const entry = document.get(keys);
  const at = { path: document.path, line: entry?.line ?? 1, column: entry?.column ?? 1, keys };
  const below = document.keys(keys).map((key) => [key, nodeAt(document, [...keys, key])] as const);
  return { kind: 'table', at, below: new Map(below) };
}

function nodeAt(document: TomlDocument, keys: readonly string[]): Node {
  const entry = document.get(keys);
  const value = entry?.value ?? {};
  const isTable = typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
  if (isTable) return treeOf(document, keys);
  return { kind: 'leaf', value, at: { path: document.path, line: entry?.line ?? 1, column: entry?.column ?? 1, keys } };
}

/** What is at a path of keys. */
export function find(node: Node | undefined, keys: readonly string[]): Node | undefined {
  return keys.reduce<Node | undefined>((at, key) => (at?.kind === 'table' ? at.below.get(key) : undefined), node);
}

export function findTable(node: Node | undefined, keys: readonly string[]): Table | undefined {
  const found = find(node, keys);
  return found?.kind === 'table' ? found : undefined;
}

export function findLeaf(node: Node | undefined, keys: readonly string[]): Leaf | undefined {
  const found = find(node, keys);
  return found?.kind === 'leaf' ? found : undefined;
}

/** Both tables in one: what `over` has wins, tables in both are merged in turn. */
export function merged(under: Table, over: Table): Table {
  const below = new Map(under.below);
  for (const [key, node] of over.below) {
    const own = below.get(key);
    below.set(key, own?.kind === 'table' && node.kind === 'table' ? merged(own, node) : node);
  }
  return { kind: 'table', at: over.at, below };
}

/** A table with one more entry. */
export function withEntry(table: Table, key: string, node: Node): Table {
  return { ...table, below: new Map([...table.below, [key, node]]) };
}

/** All values in a tree. */
export function leavesOf(node: Node): readonly Leaf[] {
  return node.kind === 'leaf' ? [node] : [...node.below.values()].flatMap(leavesOf);
}
