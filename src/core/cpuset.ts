import { badInput, quote } from './errors.ts';

/** The highest index that systemd accepts in a set (CPU_SET limits, src/shared/cpu-set-util.c). */
export const MAX_INDEX = 8191;

/** CPU or memory-node indices, ascending and without repetition. */
export type IndexSet = readonly number[];

/** Reads `0-3,8`, `0 1 2`, `0-3 8`: indices and ranges, separated by commas or blanks. The empty text is the empty set. */
export function parseIndexSet(text: string, name: string): IndexSet {
  const found = new Set<number>();
  for (const part of text.split(/[\s,]+/).filter((p) => p !== '')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) throw badInput(`${name}=${quote(text)}: ${quote(part)} is not a number or a range`, 'write 0-3,8');
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first)
      throw badInput(`${name}=${quote(text)}: the range ${part} runs backwards`, `write ${last}-${first}`);
    if (last > MAX_INDEX) throw badInput(`${name}=${quote(text)}: ${last} is above ${MAX_INDEX}`, 'write 0-3,8');
    for (let index = first; index <= last; index += 1) found.add(index);
  }
  return [...found].sort((a, b) => a - b);
}

/** The kernel's list form: `0-3,8`; the empty set is the empty text. */
export function printIndexSet(set: IndexSet): string {
  const parts: string[] = [];
  for (let at = 0; at < set.length; ) {
    let end = at;
    while (end + 1 < set.length && set[end + 1] === (set[end] ?? 0) + 1) end += 1;
    parts.push(end === at ? `${set[at]}` : `${set[at]}-${set[end]}`);
    at = end + 1;
  }
  return parts.join(',');
}

/**
 * The `ay` form of AllowedCPUs and AllowedMemoryNodes: CPU n is bit n%8 of byte n/8, whatever the machine's byte order
 * (systemd `cpu_set_to_dbus`, src/shared/cpu-set-util.c).
 */
export function indexSetToBytes(set: IndexSet): Uint8Array {
  const last = set.at(-1);
  const bytes = new Uint8Array(last === undefined ? 0 : (last >> 3) + 1);
  for (const index of set) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  return bytes;
}

/**
 * The bytes as systemd gives them back: padded to whole words of eight bytes, none for the empty set, which is the
 * property unset (systemd grows its sets by `CPU_ALLOC_SIZE`).
 */
export function indexSetToPaddedBytes(set: IndexSet): Uint8Array {
  const bytes = indexSetToBytes(set);
  const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
  padded.set(bytes);
  return padded;
}

/** The inverse of {@link indexSetToBytes}; trailing zero bytes mean nothing. */
export function indexSetFromBytes(bytes: Uint8Array): IndexSet {
  const set: number[] = [];
  for (const [at, byte] of bytes.entries()) {
    for (let bit = 0; bit < 8; bit += 1) if (byte & (1 << bit)) set.push(at * 8 + bit);
  }
  return set;
}

/** The members of `set` that are not in `other`. */
export function without(set: IndexSet, other: IndexSet): IndexSet {
  const drop = new Set(other);
  return set.filter((index) => !drop.has(index));
}

/** The members of any of the sets. */
export function union(...sets: readonly IndexSet[]): IndexSet {
  return [...new Set(sets.flat())].sort((a, b) => a - b);
}

/** The members of `set` that are in `other` too. */
export function intersection(set: IndexSet, other: IndexSet): IndexSet {
  const keep = new Set(other);
  return set.filter((index) => keep.has(index));
}

export function isSubset(set: IndexSet, of: IndexSet): boolean {
  return without(set, of).length === 0;
}

export function equalSets(a: IndexSet, b: IndexSet): boolean {
  return a.length === b.length && a.every((index, at) => index === b[at]);
}

/** 0, 1, … `last`. */
export function indicesTo(last: number): IndexSet {
  return Array.from({ length: last + 1 }, (_, index) => index);
}
