import { isIP } from 'node:net';
import { quote } from '../../core/errors.ts';
import type { JsonDocument, JsonPath } from '../formats/json.ts';
import { isTemplate, TEMPLATE_HINT } from '../formats/template.ts';
import type { Finding } from '../model.ts';
import type { DockerRules } from './rules.ts';

/** What the value at a key, or each element of its list, must look like. */
interface Format {
  readonly keys: JsonPath;
  /** What a wrong one is not: `an IP address`. */
  readonly what: string;
  /** Only values of this type are looked at: that others are wrong is said elsewhere. */
  readonly type: 'string' | 'number' | 'any';
  readonly fits: (value: never, rules: DockerRules) => boolean;
  readonly hint: (value: string) => string;
}

const ADDRESS_KEYS = ['default-gateway', 'default-gateway-v6', 'host-gateway-ip', 'ip'];
const COUNT_KEYS = ['max-concurrent-downloads', 'max-concurrent-uploads', 'max-download-attempts'];
const RESERVED = /^(?:com\.docker|io\.docker|org\.dockerproject)\./i;
const DOMAIN = /^(?=.*[a-z])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.?\s*$/i;
const SIZE = /^[\d.]+(?:e\d+)? ?(?:[kmgtp]i?b?|b)?$/i;

/**
 * Values with which dockerd does not start: `config.Validate`, `ValidatePlatformConfig` and the types in daemon/config,
 * v20.10.24 to v28.5.2; of each what 26.1.5 and 28.5.2 take was tried. Where versions differ, what any of them takes passes.
 */
const FORMATS: readonly Format[] = [
  ...ADDRESS_KEYS.map((key) => format([key], 'an IP address', isExactAddress, wayToAddress)),
  format(['dns'], 'an IP address', isNameServer, wayToAddress),
  format(['dns-search'], 'a domain', isDomain, () => 'write a name such as "example.org", or remove it'),
  format(
    ['labels'],
    'a label',
    (text) => text.includes('='),
    (text) => `write "${text}=true", or remove it`,
  ),
  format(
    ['labels'],
    'a free label',
    (text) => !RESERVED.test(text),
    () => 'take a name outside of com.docker, io.docker and org.dockerproject',
  ),
  format(
    ['node-generic-resources'],
    'a resource',
    (text) => text.includes('='),
    () => 'write NAME=VALUE',
  ),
  format(
    ['default-shm-size'],
    'a size',
    (text) => SIZE.test(text),
    () => 'write for example "64M"',
  ),
  oneOf('default-cgroupns-mode', ['host', 'private']),
  oneOf('default-ipc-mode', ['shareable', 'private']),
  oneOf('log-format', ['text', 'json']),
  ...COUNT_KEYS.map((key) => atLeast0(key, () => true)),
  atLeast0('mtu', ({ validate }) => validate),
  typed(['builder', 'gc', 'enabled'], 'true or false', (value) => typeof value === 'boolean'),
  typed(['builder', 'gc', 'defaultKeepStorage'], 'a text', (value) => typeof value === 'string'),
];

export function lintFormats(document: JsonDocument, rules: DockerRules): readonly Finding[] {
  return FORMATS.flatMap(({ keys, what, type, fits, hint }) => {
    const found = document.value(keys);
    const single = [{ value: found, at: keys }];
    const all = Array.isArray(found) ? found.map((value, index) => ({ value, at: [...keys, index] })) : single;
    const wrong = all.filter(
      ({ value }) =>
        (type === 'any' ? value !== undefined && value !== null : typeof value === type) &&
        !fits(value as never, rules),
    );
    return wrong.map(({ value, at }): Finding => {
      const text = String(value);
      return {
        severity: 'error',
        code: 'docker-value',
        message: `Docker does not start: ${typeof value === 'string' ? quote(value) : text} in "${keys.join('.')}" is not ${what}`,
        hint: isTemplate(text) ? TEMPLATE_HINT : hint(text),
        path: document.path,
        ...document.position(at),
      };
    });
  });
}

function format(
  keys: JsonPath,
  what: string,
  fits: (text: string, rules: DockerRules) => boolean,
  hint: (text: string) => string,
): Format {
  return { keys, what, type: 'string', fits, hint };
}

function oneOf(key: string, names: readonly string[]): Format {
  const list = names.map((name) => `"${name}"`).join(' or ');
  return format(
    [key],
    list,
    (text) => text === '' || names.includes(text),
    () => `write ${list}, or remove it`,
  );
}

function atLeast0(key: string, isChecked: (rules: DockerRules) => boolean): Format {
  const fits = (value: number, rules: DockerRules): boolean => value >= 0 || !isChecked(rules);
  return { keys: [key], what: '0 or more', type: 'number', fits, hint: () => 'remove it for the default' };
}

function typed(keys: JsonPath, what: string, fits: (value: unknown) => boolean): Format {
  const hint = (text: string): string =>
    what === 'a text' ? `write "${text}"` : `write ${text === 'false' ? text : 'true'}`;
  return { keys, what, type: 'any', fits, hint };
}

/** As Go's net.IP reads it: without a zone, and without leading zeros; an empty text is none. */
function isExactAddress(text: string): boolean {
  return text === '' || (isIP(text) !== 0 && !text.includes('%'));
}

function isNameServer(text: string, { exactAddresses }: DockerRules): boolean {
  return exactAddresses ? isExactAddress(text) : text.trim() !== '' && isExactAddress(text.trim());
}

function wayToAddress(text: string): string {
  const bare = text.trim();
  return isExactAddress(bare) && bare !== ''
    ? `write "${bare}"`
    : 'write an address without zone or leading zeros, or remove it';
}

function isDomain(text: string): boolean {
  const trimmed = text.replace(/^ +| +$/g, '');
  return trimmed === '.' || (trimmed.length < 255 && DOMAIN.test(trimmed));
}
