import { isAtLeast } from '../../core/program-version.ts';
import { nearest } from '../../core/suggest.ts';
import type { JsonDocument, JsonPath } from '../formats/json.ts';
import type { Finding } from '../model.ts';
import { DIRECTIVES, type Directive, FLAT, isKnown, MAY_BE_BOTH } from './directives.ts';
import { placeOf } from './exec-opts.ts';
import type { DockerFlag } from './flags.ts';
import { lintType } from './lint-types.ts';

/** A directive of the file where dockerd finds it: at the top, or in an object that it looks into. */
export interface FoundKey {
  readonly key: string;
  readonly path: JsonPath;
}

/** The keys that dockerd takes for directives (`configValuesSet` in daemon/config/config.go). */
export function directivesOf(document: JsonDocument): readonly FoundKey[] {
  const top = document.value([]);
  if (!isObject(top)) return [];
  return Object.entries(top).flatMap(([key, value]) =>
    isObject(value) && !FLAT.has(key)
      ? Object.keys(value).map((inner) => ({ key: inner, path: [key, inner] }))
      : [{ key, path: [key] }],
  );
}

/** What `dockerd --validate` refuses in the keys of the file, and what it lets through that does nothing. */
export function lintKeys(document: JsonDocument, version: string | undefined): readonly Finding[] {
  const top = document.value([]);
  if (!isObject(top)) return [];
  return [
    ...Object.entries(top).flatMap(([key, value]) => [
      ...lintNested(document, key, value, version),
      ...document.all([], key).flatMap((node) => lintType(document, key, node, version)),
    ]),
    ...directivesOf(document).flatMap((found) => lintKey(document, found, version)),
    ...lintDuplicates(document),
  ];
}

function lintKey(document: JsonDocument, { key, path }: FoundKey, version: string | undefined): Finding[] {
  const at = { path: document.path, ...document.position(path) };
  const row = DIRECTIVES.find((directive) => directive.key === key);
  if (row && isKnown(row, version)) {
    if (row.type === 'flag') {
      const message = `"${key}" does nothing in the file: it is only an option of the command line`;
      return [{ severity: 'warning', code: 'docker-option-key', message, hint: 'remove it', ...at }];
    }
    if (row.inside === undefined || path.length > 1) return [];
    const message = `"${key}" does nothing at the top of the file`;
    return [{ severity: 'warning', code: 'docker-misplaced-key', message, hint: `put it into "${row.inside}"`, ...at }];
  }
  const plural = DIRECTIVES.find(({ flag }) => flag === key);
  if (plural && isKnown(plural, version) && hasOption(plural, version)) {
    const message = `"${key}" does nothing in the file: this is the option's name, the key is "${plural.key}"`;
    const hint = `write "${plural.key}", or remove it`;
    return [{ severity: 'warning', code: 'docker-singular-key', message, hint, ...at }];
  }
  return [
    {
      severity: 'error',
      code: 'docker-unknown-key',
      message: `Docker${version === undefined ? '' : ` ${version}`} does not start: it knows no directive "${key}"`,
      hint: wayOut(key, row),
      ...at,
    },
  ];
}

function hasOption({ flagSince }: Directive, version: string | undefined): boolean {
  return flagSince === undefined || version === undefined || isAtLeast(version, flagSince);
}

function wayOut(key: string, row: Directive | undefined): string {
  if (key === 'graph') return 'it is called "data-root"';
  if (row?.since !== undefined) return `it came with Docker ${row.since}: remove it`;
  if (row?.until !== undefined) return `it is gone since Docker ${row.until}: remove it`;
  if (/^[_$#/]|comment/i.test(key)) return 'the file can have no comments: remove it';
  const near = nearest(
    key,
    DIRECTIVES.filter(({ type }) => type !== 'flag').map((directive) => directive.key),
  );
  return near === undefined ? 'remove it' : `did you mean "${near}"? Otherwise remove it`;
}

/** An unknown key with an object passes as long as the members are known, and what is in it does nothing. */
function lintNested(document: JsonDocument, key: string, value: unknown, version: string | undefined): Finding[] {
  if (!isObject(value) || FLAT.has(key)) return [];
  const row = DIRECTIVES.find((directive) => directive.key === key);
  if (row && row.type !== 'flag' && isKnown(row, version)) return [];
  return [
    {
      severity: 'warning',
      code: 'docker-nested-ignored',
      message: `"${key}" does nothing, nor does what is in it: it is no directive of Docker`,
      hint: 'put the directives at the top of the file, or remove it',
      path: document.path,
      ...document.position([key]),
    },
  ];
}

function lintDuplicates(document: JsonDocument): Finding[] {
  return document.duplicateKeys().map(({ keys, line, column }) => {
    const values = document.all(keys.slice(0, -1), String(keys.at(-1)));
    const merges = keys.length === 1 && FLAT.has(String(keys[0])) && values.every(({ type }) => type === 'object');
    const last = document.position(keys)?.line;
    return {
      severity: merges ? 'info' : 'warning',
      code: 'docker-duplicate-key',
      message: merges
        ? `"${keys.join('.')}" is here and again in line ${last}; Docker merges the two`
        : `"${keys.join('.')}" is here and again in line ${last}; only the last one counts`,
      hint: 'leave one of them',
      path: document.path,
      line,
      column,
    };
  });
}

/** Directives that are in the file and on the command line, with which no version starts, not even with equal values. */
export function lintConflicts(
  document: JsonDocument,
  flags: readonly DockerFlag[],
  version: string | undefined,
): readonly Finding[] {
  return directivesOf(document).flatMap(({ key, path }): Finding[] => {
    const row = DIRECTIVES.find((directive) => directive.key === key);
    const use = flags.find(({ flag }) => flag === row?.flag);
    if (!row || !use || key === MAY_BE_BOTH || !isKnown(row, version)) return [];
    const { path: file, line } = placeOf(use.source);
    const where = file === undefined ? use.source.text : `${file}${line === undefined ? '' : `:${line}`}`;
    return [
      {
        severity: 'error',
        code: 'docker-flag-and-file',
        message: `Docker does not start: "${key}" is in its file and ${use.name} ${use.value} on its command line`,
        hint: `remove one of them; the option is in ${where}`,
        path: document.path,
        ...document.position(path),
      },
    ];
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
