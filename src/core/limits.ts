import { badInput, quote, SlicectlError } from './errors.ts';
import type { LimitName, Limits, LimitValue } from './properties/row.ts';
import { PROPERTIES, property, rowOf } from './properties/table.ts';
import type { Machine } from './quantity.ts';

/** One `Name=value` as it was given. */
export interface Assignment {
  readonly name: string;
  readonly text: string;
  /**
   * Where it came from: a row's flag (`--memory`), whose own parser then reads the text; `FILE:LINE` of a profile
   * (`build.ini:3`), which makes a fault of the text an E_PROFILE; or any other word (`-p`).
   */
  readonly source: string;
}

/** What a library caller writes: systemd's names with systemd's text, numbers and bigints as their decimal text. */
export type LimitsInput = { readonly [K in LimitName]?: string | number | bigint | readonly string[] | undefined };

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
 * single value is replaced, and an empty text forgets what came before (systemd.resource-control(5)). A property that is
 * forgotten at the end stays in the map as undefined, so that it forgets the weaker levels too.
 */
export function readAssignments(
  assignments: readonly Assignment[],
  machine: Machine,
): Map<LimitName, AskedLimit | undefined> {
  const found = new Map<LimitName, AskedLimit | undefined>();
  for (const { name, text, source } of assignments) {
    const row = atSource(source, () => property(name));
    if (text.trim() === '') {
      found.set(row.name, undefined);
      continue;
    }
    const reader = row.flags.find((flag) => flag.name === source) ?? row;
    const next = atSource(source, () => reader.parse(text, machine));
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

/** Makes a refusal of `read` name the place that its text came from: the line of a profile, or the flag. */
export function atSource<T>(source: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const profile = /:\d+$/.test(source);
    if (!(error instanceof SlicectlError) || error.code !== 'E_INPUT') throw error;
    if (!profile && (!source.startsWith('--') || error.message.startsWith(source))) throw error;
    throw new SlicectlError(profile ? 'E_PROFILE' : 'E_INPUT', `${source}: ${error.message}`, {
      ...(error.hint && { hint: error.hint }),
      data: { ...error.data, source },
      cause: error,
    });
  }
}

/** Lays levels over each other, weakest first: a property given at a stronger level replaces the weaker one whole. */
export function layered(levels: readonly ReadonlyMap<LimitName, AskedLimit | undefined>[]): AskedLimits {
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
