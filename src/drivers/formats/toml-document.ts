import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import { positionAt, syntaxError } from '../../core/config-text.ts';
import { quote } from '../../core/errors.ts';
import { isTemplateAt, TEMPLATE_HINT } from './template.ts';

/** A value as TOML has it. Integers beyond 2^53 are bigints. */
export type TomlValue = string | number | bigint | boolean | Date | readonly TomlValue[] | TomlTable;
export interface TomlTable {
  readonly [key: string]: TomlValue;
}

/** A value or a table, and the place where its key or its header is first written. */
export interface TomlEntry {
  readonly value: TomlValue;
  /** Of the key; both from 1. */
  readonly line: number;
  readonly column: number;
  /** Of the value in the text; of a table the header or the first key that makes it. UTF-16 units, end exclusive. */
  readonly range: readonly [start: number, end: number];
}

export interface TomlDocument {
  readonly path: string;
  /** The value or table at a path of keys, elements of arrays not included; undefined where there is none. */
  get(keys: readonly string[]): TomlEntry | undefined;
  /** The names directly below a table, as they first occur; none where it is no table. */
  keys(prefix: readonly string[]): string[];
  toObject(): TomlTable;
}

interface Branch {
  readonly range: readonly [number, number];
  readonly keyAt: number;
  /** Absent for a table. */
  readonly leaf?: TomlValue;
  readonly below: Map<string, Branch>;
}

/**
 * Reads TOML 1.1, which has all that 1.0 has. `E_SYNTAX` with file, line and column for what is not TOML, and for a key
 * or a table that is defined twice, which every reader of these files refuses. The text comes without byte order mark.
 */
export function parseToml(text: string, path: string): TomlDocument {
  const root: Branch = { range: [0, 0], keyAt: 0, below: new Map() };
  for (const node of tomlNodes(text, path)) {
    if (node.type === 'TOMLKeyValue') {
      addPair(root, node);
      continue;
    }
    const last = node.resolvedKey.at(-1);
    const table = node.kind === 'array' ? undefined : enter(root, node.resolvedKey, node.key);
    if (table !== undefined) for (const pair of node.body) addPair(table, pair);
    else if (typeof last === 'number') addElement(root, node);
  }
  return new Document(text, path, root);
}

/** The pairs and tables of a file in their order: the parser's own nodes, with their ranges. */
export function tomlNodes(text: string, path: string): readonly (AST.TOMLKeyValue | AST.TOMLTable)[] {
  try {
    return parseTOML(text, { tomlVersion: '1.1' }).body[0].body;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const before = text.slice(0, error.index);
    const isMissing = /=\s*\n\s*$/.test(before);
    // What is missing is missing where the line ends, not where the next token begins.
    const at = positionAt(text, isMissing ? before.trimEnd().length : error.index);
    const isTwice = error.message.startsWith('Defining a key multiple times');
    const what = isMissing
      ? 'a value is missing'
      : isTwice
        ? `${twice(text, error.index)} is defined twice`
        : unexpected(text, error);
    throw syntaxError(path, at, what, isTemplateAt(text, error.index) ? TEMPLATE_HINT : undefined);
  }
}

/** The parser's complaint, with the text that it is about where it names none. */
function unexpected(text: string, { message, index }: ParseError): string {
  const what = lowerFirst(message);
  const [word] = /^[^\s]{1,20}/.exec(text.slice(index)) ?? [];
  return /^unexpected (token|character)$/.test(what) && word !== undefined ? `${what} ${quote(word)}` : what;
}

/** What a key's part stands for. */
export function nameOf(part: AST.TOMLBare | AST.TOMLQuoted): string {
  return part.type === 'TOMLBare' ? part.name : part.value;
}

class Document implements TomlDocument {
  readonly path: string;
  readonly #text: string;
  readonly #root: Branch;

  constructor(text: string, path: string, root: Branch) {
    this.path = path;
    this.#text = text;
    this.#root = root;
  }

  get(keys: readonly string[]): TomlEntry | undefined {
    const branch = this.#find(keys);
    if (branch === undefined) return undefined;
    return { value: contentOf(branch), ...positionAt(this.#text, branch.keyAt), range: branch.range };
  }

  keys(prefix: readonly string[]): string[] {
    return [...(this.#find(prefix)?.below.keys() ?? [])];
  }

  toObject(): TomlTable {
    return tableOf(this.#root);
  }

  #find(keys: readonly string[]): Branch | undefined {
    return keys.reduce<Branch | undefined>((branch, key) => branch?.below.get(key), this.#root);
  }
}

function contentOf(branch: Branch): TomlValue {
  return branch.leaf ?? tableOf(branch);
}

/** `fromEntries` defines properties, so that a key `__proto__` is a key like any other. */
function tableOf(branch: Branch): TomlTable {
  return Object.fromEntries([...branch.below].map(([key, below]) => [key, contentOf(below)]));
}

/** The branch that a header or a dotted key leads to, made where it is absent; undefined inside of an array's element. */
function enter(from: Branch, keys: readonly (string | number)[], key: AST.TOMLKey): Branch | undefined {
  let branch = from;
  for (const [at, name] of keys.entries()) {
    if (typeof name === 'number') return undefined;
    const keyAt = (key.keys[at] ?? key).range[0];
    const next = branch.below.get(name) ?? { range: key.range, keyAt, below: new Map() };
    branch.below.set(name, next);
    branch = next;
  }
  return branch;
}

function addPair(table: Branch, pair: AST.TOMLKeyValue): void {
  const names = pair.key.keys.map(nameOf);
  const parent = enter(table, names.slice(0, -1), pair.key);
  const part = pair.key.keys.at(-1);
  if (parent === undefined || part === undefined) return;
  const below = new Map<string, Branch>();
  const branch = { range: pair.value.range, keyAt: pair.key.range[0], below };
  if (pair.value.type === 'TOMLInlineTable') {
    parent.below.set(nameOf(part), branch);
    for (const inner of pair.value.body) addPair(branch, inner);
  } else {
    parent.below.set(nameOf(part), { ...branch, leaf: plain(pair.value) });
  }
}

/** `[[name]]`: an array that grows by one table. Tables below an element, as in `[name.sub]`, are left out. */
function addElement(root: Branch, node: AST.TOMLTable): void {
  const names = node.resolvedKey.slice(0, -1);
  const parent = enter(root, names.slice(0, -1), node.key);
  const name = names.at(-1);
  if (parent === undefined || typeof name !== 'string') return;
  const element: Branch = { range: node.key.range, keyAt: node.key.range[0], below: new Map() };
  for (const pair of node.body) addPair(element, pair);
  const before = parent.below.get(name);
  const elements = [...(Array.isArray(before?.leaf) ? before.leaf : []), tableOf(element)];
  parent.below.set(name, { ...(before ?? element), leaf: elements, below: new Map() });
}

function plain(node: AST.TOMLContentNode): TomlValue {
  if (node.type === 'TOMLArray') return node.elements.map(plain);
  if (node.type === 'TOMLInlineTable') {
    const table: Branch = { range: node.range, keyAt: node.range[0], below: new Map() };
    for (const pair of node.body) addPair(table, pair);
    return tableOf(table);
  }
  if (node.kind === 'integer') return Number.isSafeInteger(node.value) ? node.value : node.bigint;
  return node.value;
}

/** The header or key that the parser stumbled over, as it is written. */
function twice(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const line = (/^[^\r\n]*/.exec(text.slice(start))?.[0] ?? '').trim();
  return /^\[+[^\]]*\]+/.exec(line)?.[0] ?? line.replace(/[ \t]*=.*$/, '');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');
}
