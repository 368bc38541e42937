import type { Node } from 'jsonc-parser';
import { lineEndOf } from '../../core/config-text.ts';

/** How a file writes its JSON. */
export interface JsonStyle {
  readonly eol: '\n' | '\r\n';
  /** One step of indentation. */
  readonly unit: string;
  /** Between elements on one line. */
  readonly comma: string;
  readonly colon: string;
  /** Whether the elements of arrays have lines of their own. */
  readonly arraysInLines: boolean;
}

export function styleOf(text: string, root: Node | undefined): JsonStyle {
  const nodes = root ? flatten(root) : [];
  const tight =
    nodes.some(({ type }) => type === 'property') && nodes.every((node) => !/\s/.test(afterColon(text, node)));
  const array = nodes.find(({ type, children }) => type === 'array' && children?.length);
  return {
    eol: lineEndOf(text),
    unit: unitOf(text, nodes),
    comma: tight ? ',' : ', ',
    colon: tight ? ':' : ': ',
    arraysInLines: array !== undefined && isMultiline(text, array),
  };
}

/** What stands between a key and its value in an object, as its last property has it; aligned values do not count. */
export function colonOf(text: string, object: Node, style: JsonStyle): string {
  const last = object.children?.at(-1);
  const key = last?.children?.[0];
  if (last?.colonOffset === undefined || !key) return style.colon;
  const before = text.slice(endOf(key), last.colonOffset);
  const after = afterColon(text, last);
  return `${/^[ \t]?$/.test(before) ? before : ''}:${after === '' ? '' : ' '}`;
}

/** What to write between the last element and a new one: as between the last two, without empty lines. */
export function joint(text: string, container: Node, style: JsonStyle): string {
  const children = container.children ?? [];
  const [first, last, previous] = [children[0], children.at(-1), children.at(-2)];
  if (!first || !last) return '';
  if (previous) return joined(text.slice(endOf(previous), last.offset), style);
  const lead = text.slice(container.offset + 1, first.offset);
  return lead.includes('\n') ? `,${style.eol}${afterLastLine(lead)}` : style.comma;
}

function joined(gap: string, { eol }: JsonStyle): string {
  const [before = '', after = ''] = gap.split(',');
  const front = before.includes('\n') ? eol + afterLastLine(before) : before;
  return `${front},${after.includes('\n') ? eol + afterLastLine(after) : after}`;
}

/** A value as text. `inLines` puts the members of objects, and where the file does so of arrays, on lines of their own. */
export function printJson(value: unknown, style: JsonStyle, indent: string, inLines: boolean): string {
  const isArray = Array.isArray(value);
  if (!isArray && (typeof value !== 'object' || value === null)) return JSON.stringify(value);
  const inner = indent + style.unit;
  const deep = inLines && (!isArray || style.arraysInLines);
  const members = isArray
    ? value.map((element) => printJson(element, style, deep ? inner : indent, deep))
    : Object.entries(value).map(
        ([key, member]) =>
          `${JSON.stringify(key)}${style.colon}${printJson(member, style, deep ? inner : indent, deep)}`,
      );
  const [open, close] = isArray ? '[]' : '{}';
  if (members.length === 0 || !deep) return `${open}${members.join(style.comma)}${close}`;
  return `${open}${style.eol}${inner}${members.join(`,${style.eol}${inner}`)}${style.eol}${indent}${close}`;
}

export function isMultiline(text: string, node: Node): boolean {
  return text.slice(node.offset, endOf(node)).includes('\n');
}

/** The white space at the beginning of the line of an offset. */
export function indentAt(text: string, offset: number): string {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  return /^[ \t]*/.exec(line)?.[0] ?? '';
}

export function endOf(node: Node): number {
  return node.offset + node.length;
}

/** One step: what the first element on a line of its own is indented more than the object or array that holds it. */
function unitOf(text: string, nodes: readonly Node[]): string {
  for (const { type, children, offset } of nodes) {
    const first = children?.[0];
    if (type === 'property' || !first || !text.slice(offset, first.offset).includes('\n')) continue;
    const [outer, inner] = [indentAt(text, offset), indentAt(text, first.offset)];
    if (inner.startsWith(outer) && inner.length > outer.length) return inner.slice(outer.length);
  }
  return '  ';
}

function afterColon(text: string, node: Node): string {
  const value = node.children?.[1];
  return node.type === 'property' && node.colonOffset !== undefined && value
    ? text.slice(node.colonOffset + 1, value.offset)
    : '';
}

function afterLastLine(space: string): string {
  return space.slice(space.lastIndexOf('\n') + 1);
}

function flatten(node: Node): Node[] {
  return [node, ...(node.children ?? []).flatMap(flatten)];
}
