import { SlicectlError } from '../core/errors.ts';
import type { Plan, Step } from './plan.ts';

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

/** As JSON: bytes become `{"$bytes": base64}`, anywhere in it. */
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
  const change = decode(found);
  if (found?.version !== FORM || !isStored(change)) {
    throw new SlicectlError('E_HISTORY', `${path} is not the record of a change`);
  }
  const { id, at, uid, plan } = change;
  return { id, at, uid, plan };
}

function isStored(value: unknown): value is StoredChange {
  if (!isRecord(value) || !isRecord(value.plan)) return false;
  const { id, at, uid, plan } = value;
  const { title, root, steps, refusals, notes } = plan as Readonly<Record<string, unknown>>;
  return (
    [id, at, title, root].every((text) => typeof text === 'string') &&
    typeof uid === 'number' &&
    [steps, refusals, notes].every((list) => Array.isArray(list)) &&
    (steps as readonly unknown[]).every(isStep)
  );
}

/** What is needed of a step to show it, and to take it back. */
function isStep(value: unknown): boolean {
  if (!isRecord(value) || typeof value.kind !== 'string' || typeof value.purpose !== 'string') return false;
  const texts = TEXTS[value.kind];
  if (texts === undefined || !texts.every((name) => typeof value[name] === 'string')) return false;
  if (value.kind === 'action') return isRecord(value.parameters) && Array.isArray(value.subjects);
  return value.kind !== 'file' || (isState(value.before) && isState(value.after));
}

const TEXTS: Readonly<Record<string, readonly string[]>> = {
  file: ['path', 'target'],
  reload: ['manager'],
  unit: ['manager', 'unit', 'verb'],
  'reset-failed': ['manager', 'unit'],
  check: ['check'],
  action: ['action', 'does', 'doesBack'],
} satisfies Readonly<Record<Step['kind'], readonly string[]>>;

function isState(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { exists, bytes, mode, uid, gid } = value;
  return (
    exists === false ||
    (exists === true && bytes instanceof Uint8Array && [mode, uid, gid].every((number) => typeof number === 'number'))
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Plain JSON of anything that plans and facts hold. */
export function encode(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, encode(inner)]));
}

/** The reverse of {@link encode}; a property that was undefined is absent. */
export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== 'object' || value === null) return value;
  const { $bytes } = value as Readonly<Record<string, unknown>>;
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
