/** One field of a message: a varint as bigint, or the bytes of a string or of a message. Fixed-width fields are left out. */
export interface WireField {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const utf8 = new TextDecoder();

/** The fields of a message in their order, unknown ones included. Throws a RangeError for bytes that are no message. */
export function decodeMessage(bytes: Uint8Array): readonly WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new RangeError('a message that ends too early');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const [byte = 0] = take(1);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new RangeError('a number of more than 64 bits');
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    const type = Number(tag & 7n);
    if (number === 0) throw new RangeError('a field without number');
    if (type === VARINT) fields.push({ number, value: varint() });
    else if (type === BYTES) fields.push({ number, value: take(Number(varint())) });
    else if (type === FIXED64) take(8);
    else if (type === FIXED32) take(4);
    else throw new RangeError(`a field of the unknown type ${type}`);
  }
  return fields;
}

/** A message of varints, booleans, strings and messages; values that proto3 leaves out as defaults are written all the same. */
export function encodeMessage(fields: readonly (readonly [number: number, value: WireValue])[]): Uint8Array {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === 'bigint' || typeof value === 'boolean') {
        return Buffer.concat([varintOf(BigInt(number << 3) | BigInt(VARINT)), varintOf(BigInt(value))]);
      }
      const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
      return Buffer.concat([varintOf(BigInt(number << 3) | BigInt(BYTES)), varintOf(BigInt(bytes.length)), bytes]);
    }),
  );
}

export type WireValue = bigint | boolean | string | Uint8Array;

/** All messages of a repeated field. */
export function messagesOf(fields: readonly WireField[], number: number): readonly (readonly WireField[])[] {
  return bytesOf(fields, number).map(decodeMessage);
}

/** A message that is there once at most; the last one counts, as protobuf says. */
export function messageOf(fields: readonly WireField[], number: number): readonly WireField[] | undefined {
  return messagesOf(fields, number).at(-1);
}

/** A string; empty where it is absent, as in proto3. */
export function stringOf(fields: readonly WireField[], number: number): string {
  return utf8.decode(bytesOf(fields, number).at(-1));
}

/** A number, an enum or a boolean; 0 where it is absent, as in proto3. */
export function numberOf(fields: readonly WireField[], number: number): number {
  const last = fields.findLast((field) => field.number === number && typeof field.value === 'bigint');
  return Number(last?.value ?? 0n);
}

/** A map of strings. */
export function mapOf(fields: readonly WireField[], number: number): ReadonlyMap<string, string> {
  return new Map(messagesOf(fields, number).map((entry) => [stringOf(entry, 1), stringOf(entry, 2)]));
}

function bytesOf(fields: readonly WireField[], number: number): Uint8Array[] {
  return fields.flatMap((field) => (field.number === number && field.value instanceof Uint8Array ? [field.value] : []));
}

function varintOf(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}
