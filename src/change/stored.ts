import { SlicectlError } from '../core/errors.ts';
import type { Plan } from './plan.ts';

/** The form of plan.json; a later slicectl that changes it counts up and still reads the older ones. */
const FORM = 1;

/** What the journal holds of a change from its beginning on. */
export interface StoredChange {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  /** Who made it. */
  readonly uid: number;
  readonly plan: Plan;
}

/** As JSON: bytes become `{"$bytes": base64}` and bigints `{"$bigint": decimal}`, anywhere in it. */
export function storedText(change: StoredChange): string {
  return `${JSON.stringify({ version: FORM, ...(encode(change) as object) }, undefined, 1)}\n`;
}

/** `E_HISTORY` for what is no change, or one of a later form; `path` is for the message. */
export function parseStored(text: string, path: string): StoredChange {
  const found = parseObject(text);
  if (typeof found?.version === 'number' && found.version > FORM) {
    throw new SlicectlError('E_HISTORY', `${path} was written by a newer slicectl (form ${found.version})`, {
      hint: 'use that one',
    });
  }
  const change = decode(found) as Partial<StoredChange> | undefined;
  if (found?.version !== FORM || typeof change?.id !== 'string' || !Array.isArray(change.plan?.steps)) {
    throw new SlicectlError('E_HISTORY', `${path} is not the record of a change`);
  }
  const { id, at = '', uid = 0, plan } = change as StoredChange;
  return { id, at, uid, plan };
}

/** Plain JSON of anything that plans and facts hold. */
export function encode(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: value.toString() };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, encode(inner)]));
}

/** The reverse of {@link encode}; a property that was undefined is absent. */
export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== 'object' || value === null) return value;
  const { $bigint, $bytes } = value as Readonly<Record<string, unknown>>;
  if (typeof $bigint === 'string') return BigInt($bigint);
  if (typeof $bytes === 'string') return new Uint8Array(Buffer.from($bytes, 'base64'));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decode(inner)]));
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
