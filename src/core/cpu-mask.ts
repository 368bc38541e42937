import type { IndexSet } from './cpuset.ts';
import { badInput, quote } from './errors.ts';

const CHUNK_BITS = 32;
const CHUNK_DIGITS = CHUNK_BITS / 4;

/**
 * Reads a mask as the kernel does (bitmap_parse, lib/bitmap-str.c): hexadecimal chunks of 32 bits between commas or
 * blanks, the most significant one first, each with at most eight digits. `last` is the highest index that the mask has.
 * `E_INPUT` with the kernel's errno in `data.errno`.
 */
export function parseCpuMask(text: string, name: string, last: number): IndexSet {
  const refuse = (errno: 'EINVAL' | 'EOVERFLOW', why: string) =>
    badInput(`${name}=${quote(text)}: ${why}`, 'write a mask such as ff or 3,0000000f', { errno });
  const [line = ''] = text.split(/[\n\0]/, 1);
  const chunks = line.split(/[\t\v\f\r \u00a0,]+/).filter((chunk) => chunk !== '');
  const most = Math.floor(last / CHUNK_BITS) + 1;
  if (chunks.length > most)
    throw refuse('EOVERFLOW', `it has ${chunks.length} chunks of 32 bits where ${most} will do`);
  const set: number[] = [];
  for (const [at, chunk] of chunks.reverse().entries()) {
    if (!/^[0-9a-f]+$/i.test(chunk)) throw refuse('EINVAL', `${quote(chunk)} is not hexadecimal`);
    if (chunk.length > CHUNK_DIGITS) throw refuse('EOVERFLOW', `${quote(chunk)} has more than 32 bits`);
    const bits = Number.parseInt(chunk, 16);
    for (let bit = 0; bit < CHUNK_BITS; bit += 1) if ((bits >>> bit) & 1) set.push(at * CHUNK_BITS + bit);
  }
  const highest = set.at(-1) ?? 0;
  if (highest > last) throw refuse('EOVERFLOW', `CPU ${highest} is above ${last}, the last one here`);
  return set;
}

/** The kernel's text of a mask that reaches to `last` (`%*pb`, lib/vsprintf.c): its first chunk is as wide as it needs be. */
export function printCpuMask(set: IndexSet, last: number): string {
  const chunks = new Array<number>(Math.floor(last / CHUNK_BITS) + 1).fill(0);
  for (const index of set) {
    const at = Math.floor(index / CHUNK_BITS);
    chunks[at] = ((chunks[at] ?? 0) | (1 << (index % CHUNK_BITS))) >>> 0;
  }
  const topDigits = Math.ceil(((last % CHUNK_BITS) + 1) / 4);
  return chunks
    .map((bits, at) => bits.toString(16).padStart(at === chunks.length - 1 ? topDigits : CHUNK_DIGITS, '0'))
    .reverse()
    .join(',');
}
