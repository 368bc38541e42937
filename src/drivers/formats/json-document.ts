import { type Node, type ParseError, parseTree } from 'jsonc-parser';
import { positionAt, syntaxError } from '../../core/config-text.ts';
import { faultOf } from './json-fault.ts';

/** Keys of objects and indices of arrays, from the top. */
export type JsonPath = readonly (string | number)[];

export type JsonType = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/** Both from 1; columns count UTF-16 units. */
export interface JsonPosition {
  readonly line: number;
  readonly column: number;
}

/** A value with its place in the text. */
export interface JsonNode {
  readonly type: JsonType;
  readonly value: unknown;
  /** Of the value, in UTF-16 units. */
  readonly offset: number;
  readonly length: number;
}

export interface JsonOptions {
  /** Nothing but white space is a document without a value, as Docker 23 and later have it. */
  readonly allowEmpty?: boolean;
  /** What follows the first value is not looked at, as Go's `json.Decoder` does, and Docker until 20.10 with it. */
  readonly allowMore?: boolean;
}

/**
 * Reads strict JSON. `E_SYNTAX` with line and column for anything else: comments, a comma after the last element, a
 * second value, no value at all. A key that is there twice is no fault; the last one counts, as for every reader in Go.
 */
export function parseJson(text: string, path: string, options: JsonOptions = {}): JsonDocument {
  if (text.trim() === '' && options.allowEmpty) return new JsonDocument(path, text, undefined, undefined);
  const { root, errors } = readTree(text, path);
  const first = [...errors].sort((a, b) => a.offset - b.offset)[0];
  const more = root && options.allowMore ? afterValue(text, root) : undefined;
  if (first && (more === undefined || first.offset < more)) throw fault(text, path, first);
  if (!root) throw fault(text, path, { error: 4, offset: text.length, length: 0 });
  // The referee: the library lets a few things pass that are no JSON, such as a vertical tab between values.
  const end = more ?? text.length;
  try {
    JSON.parse(text.slice(0, end));
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep(path);
    throw syntaxError(path, undefined, 'it is no JSON', 'compare it with a backup');
  }
  return new JsonDocument(path, text, root, more);
}

function readTree(text: string, path: string): { root: Node | undefined; errors: ParseError[] } {
  const errors: ParseError[] = [];
  try {
    return { root: parseTree(text, errors, { disallowComments: true }), errors };
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep(path);
    throw error;
  }
}

function tooDeep(path: string): Error {
  return syntaxError(path, undefined, 'it is nested too deeply to be read');
}

function fault(text: string, path: string, error: ParseError): Error {
  const { offset, message, hint } = faultOf(text, error);
  return syntaxError(path, positionAt(text, offset), message, hint);
}

/** Where the value ends, if something else follows it. */
function afterValue(text: string, root: Node): number | undefined {
  const end = root.offset + root.length;
  return text.slice(end).trim() === '' ? undefined : end;
}

/** A parsed file. Where a key is there twice, all that follow a path take the last one. */
export class JsonDocument {
  readonly path: string;
  readonly text: string;
  /** The library's tree, for edits; undefined for a file without a value. */
  readonly root: Node | undefined;
  /** Where text follows the first value, which was not read (`allowMore`). */
  readonly more: JsonPosition | undefined;

  constructor(path: string, text: string, root: Node | undefined, more: number | undefined) {
    this.path = path;
    this.text = text;
    this.root = root;
    this.more = more === undefined ? undefined : positionAt(text, more + leadingSpace(text.slice(more)));
  }

  /** The value at a path, or undefined where there is none. */
  value(keys: JsonPath): unknown {
    return this.node(keys)?.value;
  }

  node(keys: JsonPath): JsonNode | undefined {
    const found = find(this.root, keys);
    return found && this.#public(found);
  }

  /** Where the key of an object, or the element of an array, begins; the value for the path of none. */
  position(keys: JsonPath): JsonPosition | undefined {
    const found = find(this.root, keys);
    if (!found) return undefined;
    return positionAt(this.text, found.parent?.type === 'property' ? found.parent.offset : found.offset);
  }

  positionOf(node: JsonNode): JsonPosition {
    return positionAt(this.text, node.offset);
  }

  /** Every value of a key of an object, in the order of the file; the last one counts. */
  all(parent: JsonPath, key: string): readonly JsonNode[] {
    const object = find(this.root, parent);
    return properties(object).flatMap((property) =>
      keyOf(property) === key && property.children?.[1] ? [this.#public(property.children[1])] : [],
    );
  }

  /** Keys that an object has more than once: one element for each that is lost, at the place of the lost one. */
  duplicateKeys(): readonly ({ readonly keys: JsonPath } & JsonPosition)[] {
    const lost: ({ readonly keys: JsonPath } & JsonPosition)[] = [];
    const walk = (node: Node, keys: JsonPath): void => {
      const children = node.children ?? [];
      if (node.type === 'array') for (const [index, child] of children.entries()) walk(child, [...keys, index]);
      if (node.type !== 'object') return;
      const last = new Map(children.map((property) => [keyOf(property), property]));
      for (const property of children) {
        const path = [...keys, keyOf(property)];
        if (last.get(keyOf(property)) !== property) {
          lost.push({ keys: path, ...positionAt(this.text, property.offset) });
        }
        if (property.children?.[1]) walk(property.children[1], path);
      }
    };
    if (this.root) walk(this.root, []);
    return lost;
  }

  #public(node: Node): JsonNode {
    const { offset, length } = node;
    // JSON.parse rather than the library's getNodeValue, which loses a key named __proto__.
    const value: unknown = JSON.parse(this.text.slice(offset, offset + length));
    return { type: node.type as JsonType, value, offset, length };
  }
}

export function properties(node: Node | undefined): readonly Node[] {
  return node?.type === 'object' ? (node.children ?? []) : [];
}

export function keyOf(property: Node): string {
  return String(property.children?.[0]?.value);
}

/** The value at a path; of a key that is there twice, the last. */
export function find(from: Node | undefined, keys: JsonPath): Node | undefined {
  return keys.reduce<Node | undefined>((node, key) => {
    if (typeof key === 'number') return node?.type === 'array' ? node.children?.[key] : undefined;
    return properties(node).findLast((property) => keyOf(property) === key)?.children?.[1];
  }, from);
}

function leadingSpace(text: string): number {
  return text.length - text.trimStart().length;
}
