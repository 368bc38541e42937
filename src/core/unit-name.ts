import { badInput, quote } from './errors.ts';

/** The longest unit name that systemd accepts, in bytes (UNIT_NAME_MAX, src/basic/unit-def.h). */
const NAME_MAX = 255;
const VALID = /^[A-Za-z0-9:\-_.\\]+$/;

export type UnitSuffix = '.scope' | '.service';

/** A unit name with its suffix; `build` becomes `build.scope`. Templates, paths and foreign suffixes are refused. */
export function unitName(text: string, suffix: UnitSuffix): string {
  const name = text.endsWith(suffix) ? text : `${text}${suffix}`;
  const what = `unit name ${quote(text)}`;
  if (
    /\.(service|scope|slice|socket|device|mount|automount|swap|target|path|timer|snapshot)$/.test(text) &&
    text !== name
  ) {
    throw badInput(`${what} has another suffix than ${suffix}`, `write ${quote(text.replace(/\.[a-z]+$/, suffix))}`);
  }
  if (name.length === suffix.length) throw badInput(`${what} is empty`, 'write a name such as build42');
  if (text.includes('@')) throw badInput(`${what} is a template, which cannot run`, 'leave the @ out');
  if (!VALID.test(name)) {
    throw badInput(
      `${what} has a character that unit names cannot have`,
      `write ${quote(escapeUnitText(name.slice(0, -suffix.length)) + suffix)}`,
    );
  }
  if (name.length > NAME_MAX) throw badInput(`${what} is longer than ${NAME_MAX} bytes`, 'write a shorter name');
  return name;
}

/**
 * A slice name as systemd takes it: dashes make levels (`a-b.slice` lies in `a.slice`), so no leading, trailing or
 * double dash; no template; the suffix is required since systemd would make another kind of unit of it.
 */
export function sliceName(text: string): string {
  const what = `slice ${quote(text)}`;
  if (!text.endsWith('.slice')) throw badInput(`${what} does not end in .slice`, `write ${quote(`${text}.slice`)}`);
  if (text === '-.slice') return text;
  const stem = text.slice(0, -'.slice'.length);
  if (stem.includes('/'))
    throw badInput(`${what} is a path`, `write ${quote(`${stem.replace(/^\/|\/$/g, '').replaceAll('/', '-')}.slice`)}`);
  if (stem === '') throw badInput(`${what} has no name`, 'write a name such as build.slice');
  if (stem.includes('@')) throw badInput(`${what} is a template, which slices cannot be`, 'leave the @ out');
  if (/^-|-$|--/.test(stem)) {
    throw badInput(
      `${what} has an empty level: each dash separates a slice from the one above it`,
      'write a.slice or a-b.slice; a literal dash is \\x2d',
    );
  }
  if (!VALID.test(stem))
    throw badInput(
      `${what} has a character that unit names cannot have`,
      `write ${quote(`${escapeUnitText(stem)}.slice`)}`,
    );
  if (text.length > NAME_MAX) throw badInput(`${what} is longer than ${NAME_MAX} bytes`, 'write a shorter name');
  return text;
}

/** The slice itself and every slice above it, outermost first: `a-b.slice` → `a.slice`, `a-b.slice`; the root is empty. */
export function sliceLevels(slice: string): string[] {
  if (slice === '-.slice') return [];
  const parts = slice.slice(0, -'.slice'.length).split('-');
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`);
}

/** The cgroup path of a slice below the manager's root: `a-b.slice` → `/a.slice/a-b.slice`. */
export function slicePath(slice: string): string {
  return sliceLevels(slice)
    .map((level) => `/${level}`)
    .join('');
}

/**
 * A slice below another: `a.slice` + `b` → `a-b.slice`. `leaf` is one level, so dashes and slashes in it are escaped, as
 * is all that unit names cannot have; backslashes stay, so that an escaped text can be given.
 */
export function childSlice(parent: string, leaf: string): string {
  const escaped = [...Buffer.from(leaf, 'utf8')].map((byte) => (isLevelByte(byte) ? byteText(byte) : hexEscape(byte)));
  const above = parent === '-.slice' ? '' : `${parent.slice(0, -'.slice'.length)}-`;
  return sliceName(`${above}${escaped.join('')}.slice`);
}

const byteText = (byte: number): string => String.fromCharCode(byte);
const hexEscape = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;
const isLevelByte = (byte: number): boolean => /[A-Za-z0-9:_.\\]/.test(byteText(byte));

/** systemd-escape(1): everything but `[A-Za-z0-9:_.]` becomes `\xNN`, `/` becomes `-`, a leading dot is escaped. */
export function escapeUnitText(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte, index) => {
      const char = byteText(byte);
      if (char === '/') return '-';
      if (/[A-Za-z0-9:_.]/.test(char) && !(char === '.' && index === 0)) return char;
      return hexEscape(byte);
    })
    .join('');
}
