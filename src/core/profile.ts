import { parse } from 'ini';
import { badInput, quote, SlicectlError } from './errors.ts';
import { type Assignment, atSource } from './limits.ts';
import { property } from './properties/table.ts';
import { nearest } from './suggest.ts';

/** Sections whose keys are properties: slicectl's own, and those of the unit types that systemd limits. */
const SECTIONS = ['Limits', 'Scope', 'Service', 'Slice'] as const;

const FOLDER = 'slicectl/profiles';

/**
 * Reads a profile: an INI file whose keys are property names, at the top or below `[Limits]`, or below systemd's own
 * `[Scope]`, `[Service]` or `[Slice]`. Repeated keys give one assignment each, in the order of the file.
 *
 * The lines go to `ini` one at a time, which it allows since it knows no continued lines and which keeps their numbers.
 */
export function parseProfile(text: string, file: string): Assignment[] {
  return text.split(/\r\n|\n|\r/).flatMap((line, index) => readLine(line.trim(), `${file}:${index + 1}`) ?? []);
}

function readLine(line: string, source: string): Assignment | undefined {
  if (line === '' || /^[;#]/.test(line)) return undefined;
  const content = /^(\[[^\]]*\])\s*(?:[;#].*)?$/.exec(line)?.[1] ?? line;
  const [entry] = Object.entries<unknown>(parse(content, { bracketedArray: false }));
  if (content.startsWith('[')) {
    checkSection(content, source);
    return undefined;
  }
  const at = content.indexOf('=');
  if (entry === undefined || at < 1 || entry[0] === '') {
    throw fault(source, `${quote(line)} is not Name=value`, 'write a limit such as MemoryMax=1G');
  }
  const [name, value] = entry;
  atSource(source, () => property(name));
  return { name, text: textOf(value, content.slice(at + 1).trim()), source };
}

/** What stood in the file: `ini` turns true, false and null into values, and JSON in single quotes as well. */
function textOf(value: unknown, written: string): string {
  if (typeof value === 'string') return value;
  return /^'(.*)'$/.exec(written)?.[1] ?? String(value);
}

function checkSection(header: string, source: string): void {
  const name = /^\[([^\]]*)\]$/.exec(header)?.[1]?.trim();
  if (name === undefined) throw fault(source, `${quote(header)} is not a section`, 'write [Limits]');
  if (SECTIONS.some((section) => section === name)) return;
  const near = nearest(name, SECTIONS);
  const known = SECTIONS.map((section) => `[${section}]`).join(', ');
  throw fault(
    source,
    `a profile has no section ${quote(name)}`,
    near ? `did you mean [${near}]?` : `write ${known} or none`,
  );
}

function fault(source: string, message: string, hint: string): SlicectlError {
  return new SlicectlError('E_PROFILE', `${source}: ${message}`, { hint, data: { source } });
}

/** Where the user's files lie; both come from the environment. */
export interface ProfileHome {
  readonly home: string | undefined;
  readonly xdgConfigHome: string | undefined;
}

/**
 * The files that a profile's name can mean; the first one that exists counts. What has a slash, or a leading dot and the
 * suffix .ini, is a path; a name is looked for in the user's folder, then in the administrator's.
 */
export function profilePaths(name: string, { home, xdgConfigHome }: ProfileHome): string[] {
  if (name.includes('\0')) throw badInput(`profile ${quote(name)} has a zero byte`, 'write a name such as build');
  if (name.includes('/') || /^\..+\.ini$/.test(name)) return [name];
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$/.test(name) || name.includes('..')) {
    throw badInput(
      `profile ${quote(name)} is neither a name nor a path`,
      'write a name of letters, digits, - and _ such as build, or a path such as ./build.ini',
    );
  }
  const file = name.endsWith('.ini') ? name : `${name}.ini`;
  // The XDG Base Directory specification: an empty or relative folder counts as not set.
  const config = xdgConfigHome?.startsWith('/') ? xdgConfigHome : home && `${home}/.config`;
  return [...(config ? [`${config}/${FOLDER}/${file}`] : []), `/etc/${FOLDER}/${file}`];
}
