import { SlicectlError } from '../core/errors.ts';

/** A D-Bus variant to be sent: a value with its own type. Replies hold none, the connection unwraps them. */
export class Variant {
  readonly signature: string;
  readonly value: unknown;

  constructor(signature: string, value: unknown) {
    this.signature = signature;
    this.value = value;
  }
}

/** `u` and smaller take a number, `t` and `x` a bigint, `ay` a Uint8Array, structs and arrays an array. */
export function variant(signature: string, value: unknown): Variant {
  return new Variant(signature, value);
}

function unexpected(what: string, wanted: string, value: unknown): SlicectlError {
  return new SlicectlError('E_BUS', `the bus gave ${what} as ${typeof value} where ${wanted} was due`, {
    data: { name: 'unexpected-type', what },
  });
}

/** Checks a reply's value; `what` names it in the error. */
export function asString(value: unknown, what: string): string {
  if (typeof value !== 'string') throw unexpected(what, 'text', value);
  return value;
}

export function asNumber(value: unknown, what: string): number {
  if (typeof value !== 'number') throw unexpected(what, 'a number', value);
  return value;
}

export function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected(what, 'a list', value);
  return value;
}

export function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unexpected(what, 'a dictionary', value);
  return value as Readonly<Record<string, unknown>>;
}
