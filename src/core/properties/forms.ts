import { type Amount, U64_MAX } from '../quantity.ts';
import type { CgroupForm, Controller, DbusProperty } from './row.ts';

/** The largest values with which v1 writes "no limit": counters are rounded down to whole pages. */
const V1_UNLIMITED = 0x7fff_ffff_ffff_0000n;

/** The kernel's text for an amount. */
export function amountText(value: Amount): string {
  return value === 'infinity' ? 'max' : `${value}`;
}

/** Reads a single number or `max`; v1's near-2^63 sentinels mean no limit too. */
export function readAmount(content: string | undefined): Amount | undefined {
  const text = content?.trim();
  if (text === undefined || text === '') return undefined;
  if (text === 'max' || text === '-1') return 'infinity';
  const value = BigInt(text);
  return value >= V1_UNLIMITED ? 'infinity' : value;
}

/** A limit that is one number or `max` in one file. */
export function amountFile(controller: Controller, file: string, unlimited = 'max'): CgroupForm<Amount> {
  return {
    controller,
    write: (value) => [
      {
        controller,
        file,
        text: value === 'infinity' ? unlimited : `${value}`,
        shows: (content) => readAmount(content) === readAmount(amountText(value)),
      },
    ],
    read: (read) => readAmount(read(controller, file)),
  };
}

/** A `t` property; infinity travels as UINT64_MAX. */
export function amountProperty(name: string): (value: Amount) => readonly DbusProperty[] {
  return (value) => [[name, 't', value === 'infinity' ? U64_MAX : value]];
}

/** A file of `key value` or `MAJ:MIN key=value …` lines, as a list of word lists. */
export function lines(content: string): string[][] {
  return content
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/));
}
