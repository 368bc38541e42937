import type { JsonDocument, JsonNode } from '../formats/json.ts';
import type { Finding } from '../model.ts';
import { DIRECTIVES, type DirectiveType, isKnown } from './directives.ts';

type Test = (value: unknown, written: string) => boolean;

const isList: Test = (value) => Array.isArray(value);
const isPlain: Test = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText: Test = (value) => typeof value === 'string';

/** Each type in words, its test, and the test of its members; null fits everywhere, as for Go. */
const TYPES: Readonly<Record<Exclude<DirectiveType, 'flag'>, readonly [what: string, test: Test, member?: Test]>> = {
  string: ['a text in double quotes', isText],
  strings: ['a list of texts', isList, isText],
  boolean: ['true or false', (value) => typeof value === 'boolean'],
  // 1500.0 and 15e2 are no integers to Go's decoder.
  integer: ['a whole number without quotes', (_, written) => /^-?\d+$/.test(written)],
  texts: ['an object of texts', isPlain, isText],
  switches: ['an object of true and false', isPlain, (value) => typeof value === 'boolean'],
  object: ['an object', isPlain],
  objects: ['a list of objects', isList, isPlain],
  groups: ['an object of objects', isPlain, isPlain],
  anything: ['anything', () => true],
};

/** A value of the wrong type, with which no version starts. */
export function lintType(
  document: JsonDocument,
  key: string,
  node: JsonNode,
  version: string | undefined,
): readonly Finding[] {
  const row = DIRECTIVES.find((directive) => directive.key === key);
  if (!row || row.type === 'flag' || row.inside !== undefined || !isKnown(row, version)) return [];
  const [what, test, member] = TYPES[row.type];
  const written = document.text.slice(node.offset, node.offset + node.length);
  if (node.value === null) return [];
  if (!test(node.value, written))
    return [finding(document, node, `"${key}" must be ${what}`, example(key, what, node.value))];
  if (!member) return [];
  const wrong = Object.entries(node.value as object).find(([, value]) => value !== null && !member(value, ''));
  if (!wrong) return [];
  const [name, value] = wrong;
  const text = `"${key}" must be ${what}, and holds ${JSON.stringify(value)}`;
  return [finding(document, node, text, typeof value === 'number' ? `write "${value}" in ${name} of it` : undefined)];
}

function finding(document: JsonDocument, node: JsonNode, text: string, hint: string | undefined): Finding {
  return {
    severity: 'error',
    code: 'docker-type',
    message: `Docker does not start: ${text}`,
    ...(hint !== undefined && { hint }),
    path: document.path,
    ...document.positionOf(node),
  };
}

function example(key: string, what: string, value: unknown): string | undefined {
  if (what === 'a list of texts' && typeof value === 'string') return `write "${key}": [${JSON.stringify(value)}]`;
  if (key === 'exec-opts') return 'write "exec-opts": ["native.cgroupdriver=systemd"]';
  const isQuoted = typeof value === 'string' && /^(true|false|\d+)$/.test(value);
  return isQuoted && !what.includes('text') ? `write "${key}": ${value}` : undefined;
}
