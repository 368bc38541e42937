import { badInput, quote } from './errors.ts';
import type { LimitName, Limits, LimitValue } from './properties/row.ts';
import { PROPERTIES, property, rowOf } from './properties/table.ts';
import type { Machine } from './quantity.ts';

/** One `Name=value` as it was given, with where it came from for messages (`--memory`, `-p`, `build.ini:3`). */
export interface Assignment {
  readonly name: string;
  readonly text: string;
  readonly source: string;
}

/** What a library caller writes: systemd's names with systemd's text, numbers and bigints as their decimal text. */
export type LimitsInput = { readonly [K in LimitName]?: string | number | bigint | readonly string[] };

/** A limit with the text and place it came from. */
export interface AskedLimit {
  readonly name: LimitName;
  readonly value: LimitValue;
  readonly text: string;
  readonly source: string;
}

/** The limits of one job, one entry a property, in the table's order. */
export type AskedLimits = readonly AskedLimit[];

/**
 * Reads assignments of one level of precedence as systemd reads them in a file: a repeated list is joined, a repeated
 * single value is replaced, and an empty text forgets what came before (systemd.resource-control(5)).
 */
export function readAssignments(assignments: readonly Assignment[], machine: Machine): Map<LimitName, AskedLimit> {
  const found = new Map<LimitName, AskedLimit>();
  for (const { name, text, source } of assignments) {
    const row = property(name);
    if (text.trim() === '') {
      found.delete(row.name);
      continue;
    }
    const next = row.parse(text, machine);
    const before = found.get(row.name);
    found.set(row.name, {
      name: row.name,
      value: before && row.join ? row.join(before.value, next) : next,
      text: before && row.join ? `${before.text}, ${text.trim()}` : text.trim(),
      source,
    });
  }
  return found;
}

/** Lays levels over each other, weakest first: a property given at a stronger level replaces the weaker one whole. */
export function layered(levels: readonly ReadonlyMap<LimitName, AskedLimit>[]): AskedLimits {
  const merged = new Map(levels.flatMap((level) => [...level]));
  return PROPERTIES.flatMap((row) => merged.get(row.name) ?? []);
}

/** Splits `Name=value`, the form of `-p`. */
export function parseAssignment(text: string, source: string): Assignment {
  const at = text.indexOf('=');
  if (at < 1) throw badInput(`${source} ${quote(text)} is not Name=value`, 'write -p MemoryMax=1G');
  return { name: text.slice(0, at).trim(), text: text.slice(at + 1), source };
}

/** The limits of a library call. */
export function limits(input: LimitsInput, machine: Machine): AskedLimits {
  const assignments = Object.entries(input).flatMap(([name, value]) => {
    const texts = Array.isArray(value) ? value : [value];
    return texts.filter((text) => text !== undefined).map((text) => ({ name, text: String(text), source: 'limits' }));
  });
  return layered([readAssignments(assignments, machine)]);
}

/** The typed values alone. */
export function valuesOf(asked: AskedLimits): Limits {
  return Object.fromEntries(asked.map(({ name, value }) => [name, value]));
}

/** `MemoryMax=1G`. */
export function printLimit(name: LimitName, value: LimitValue): string {
  return `${name}=${rowOf(name).print(value)}`;
}
