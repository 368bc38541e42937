import { isDeepStrictEqual } from 'node:util';
import type { Node } from 'jsonc-parser';
import { applyEdits, type TextEdit } from '../../core/config-text.ts';
import { quote, SlicectlError } from '../../core/errors.ts';
import { find, type JsonPath, parseJson } from './json-document.ts';
import { colonOf, endOf, indentAt, isMultiline, type JsonStyle, joint, printJson, styleOf } from './json-style.ts';

/**
 * The text with one value set; everything else stays byte for byte. A value that is there is replaced in its place; a new
 * key comes after the last one of its object, an index one behind the last extends its array, both written as the file
 * writes its own. Objects on the way that are absent are made. Of a key that is there twice, the last is changed.
 * A text without a value gets an object. `E_SYNTAX` for text that is no JSON, `E_INPUT` where the path leads into a value
 * that is no object or array.
 */
export function setJson(text: string, keys: JsonPath, value: unknown): string {
  const { root } = parseJson(text, 'JSON', { allowEmpty: true });
  const style = styleOf(text, root);
  if (!root) return `${printJson(wrap(keys, value), style, '', true)}${text.includes('\n') ? '' : style.eol}${text}`;
  const present = find(root, keys);
  if (present) return applyEdits(text, replacement(text, present, value, style));
  if (root.type === 'null') return applyEdits(text, replacement(text, root, wrap(keys, value), style));
  const depth = deepest(root, keys);
  const container = find(root, keys.slice(0, depth));
  const key = keys[depth];
  if (!container || key === undefined) return text;
  return applyEdits(text, [extension(text, container, key, wrap(keys.slice(depth + 1), value), style)]);
}

/** The text without a key or an element; the same text where there is none. Of a key that is there twice, the last goes. */
export function removeJson(text: string, keys: JsonPath): string {
  const { root } = parseJson(text, 'JSON', { allowEmpty: true });
  const value = find(root, keys);
  const element = value?.parent?.type === 'property' ? value.parent : value;
  const container = element?.parent;
  if (!element || !container) return text;
  const siblings = container.children ?? [];
  const index = siblings.indexOf(element);
  const [previous, next] = [siblings[index - 1], siblings[index + 1]];
  const [from, to] = previous
    ? [endOf(previous), endOf(element)]
    : next
      ? [element.offset, next.offset]
      : [container.offset + 1, endOf(container) - 1];
  return applyEdits(text, [{ offset: from, length: to - from, text: '' }]);
}

function replacement(text: string, node: Node, value: unknown, style: JsonStyle): TextEdit[] {
  const { offset, length } = node;
  if (isDeepStrictEqual(JSON.parse(text.slice(offset, offset + length)), value)) return [];
  return [{ offset, length, text: printJson(value, style, indentAt(text, offset), standsInLines(text, node)) }];
}

/** How many keys of the path lead to something that is there. `E_INPUT` where that cannot hold the next one. */
function deepest(root: Node, keys: JsonPath): number {
  let depth = 0;
  while (find(root, keys.slice(0, depth + 1))) depth += 1;
  const node = find(root, keys.slice(0, depth));
  const key = keys[depth];
  const fits =
    (node?.type === 'object' && typeof key === 'string') ||
    (node?.type === 'array' && key === (node.children?.length ?? 0));
  if (fits) return depth;
  const holder = depth === 0 ? 'the JSON' : quote(keys.slice(0, depth).join('.'));
  throw new SlicectlError('E_INPUT', `${holder} is of type ${node?.type} and cannot hold ${quote(String(key))}`);
}

function wrap(keys: JsonPath, value: unknown): unknown {
  return keys.reduceRight<unknown>((inner, key) => (typeof key === 'number' ? [inner] : { [key]: inner }), value);
}

/** A new element behind the last one of an object or array. */
function extension(text: string, container: Node, key: string | number, value: unknown, style: JsonStyle): TextEdit {
  const name = typeof key === 'string' ? `${JSON.stringify(key)}${colonOf(text, container, style)}` : '';
  const print = (indent: string, inLines: boolean): string => `${name}${printJson(value, style, indent, inLines)}`;
  const last = container.children?.at(-1);
  if (last) {
    const between = joint(text, container, style);
    const inLines = between.includes('\n');
    const indent = inLines ? between.replace(/^[^\n]*\n/, '').replace(/\S.*$/s, '') : indentAt(text, last.offset);
    return { offset: endOf(last), length: 0, text: between + print(indent, inLines) };
  }
  const offset = container.offset + 1;
  const inside = text.slice(offset, endOf(container) - 1);
  const outer = indentAt(text, container.offset);
  const indent = outer + style.unit;
  if (inside.includes('\n')) return { offset, length: 0, text: `${style.eol}${indent}${print(indent, true)}` };
  const inLines = standsInLines(text, container) && (container.type === 'object' || style.arraysInLines);
  if (!inLines) return { offset, length: 0, text: `${inside}${print(outer, false)}` };
  return { offset, length: inside.length, text: `${style.eol}${indent}${print(indent, true)}${style.eol}${outer}` };
}

/** Whether what holds a value has its elements on lines of their own, as the topmost value is taken to have. */
function standsInLines(text: string, node: Node): boolean {
  const holder = node.parent?.type === 'property' ? node.parent.parent : node.parent;
  return holder === undefined || isMultiline(text, holder);
}
