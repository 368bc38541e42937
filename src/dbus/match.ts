import type { MatchRule, Signal } from './types.ts';

const KEYS: readonly (readonly [keyof MatchRule, string])[] = [
  ['sender', 'sender'],
  ['path', 'path'],
  ['pathNamespace', 'path_namespace'],
  ['interface', 'interface'],
  ['member', 'member'],
  ['arg0', 'arg0'],
];

// Inside quotes every character is literal, an apostrophe ends them (D-Bus Specification, Match Rules).
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The rule as AddMatch takes it. Equal rules have equal texts. */
export function matchText(rule: MatchRule): string {
  const parts = ["type='signal'"];
  for (const [key, name] of KEYS) {
    const value = rule[key];
    if (value !== undefined) parts.push(`${name}=${quoted(value)}`);
  }
  return parts.join(',');
}

/** Everything but the sender, whose well-known name is not in the message. */
export function matches(rule: MatchRule, signal: Signal): boolean {
  return (
    (rule.path === undefined || rule.path === signal.path) &&
    (rule.pathNamespace === undefined || isUnder(signal.path, rule.pathNamespace)) &&
    (rule.interface === undefined || rule.interface === signal.interface) &&
    (rule.member === undefined || rule.member === signal.member) &&
    (rule.arg0 === undefined || rule.arg0 === signal.body[0])
  );
}

function isUnder(path: string, namespace: string): boolean {
  return namespace === '/' || path === namespace || path.startsWith(`${namespace}/`);
}
