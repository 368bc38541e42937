import { badInput, quote } from '../core/errors.ts';

/** One alternative of a D-Bus address: `unix:path=/run/bus,guid=…`. */
export interface Address {
  readonly transport: string;
  readonly keys: ReadonlyMap<string, string>;
}

/** The bus of the system's manager, or of the caller's own. */
export type BusKind = 'system' | 'user';

/** What the choice of a bus depends on. */
export interface BusEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

function unescapeValue(text: string, whole: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const hex = text[at] === '%' ? text.slice(at + 1, at + 3) : undefined;
    if (hex === undefined) {
      bytes.push(...Buffer.from(text[at] as string));
      continue;
    }
    if (!/^[0-9a-fA-F]{2}$/.test(hex))
      throw badInput(`The bus address ${quote(whole)} has a "%" without two hex digits.`);
    bytes.push(Number.parseInt(hex, 16));
    at += 2;
  }
  return Buffer.from(bytes).toString('utf8');
}

/** A value as it stands in an address: all but `[-0-9A-Za-z_/.\*]` as `%xx` (D-Bus Specification, Server Addresses). */
export function escapeAddressValue(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte);
    out += /[-0-9A-Za-z_/.\\*]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}

/** Splits an address into its alternatives, in order. Throws `E_INPUT` for one that is no address. */
export function parseAddress(text: string): readonly Address[] {
  const parts = text.split(';').filter((part) => part !== '');
  if (parts.length === 0) throw badInput(`The bus address ${quote(text)} is empty.`);
  return parts.map((part) => {
    const colon = part.indexOf(':');
    if (colon < 1) throw badInput(`The bus address ${quote(text)} has no transport before a ":".`);
    const keys = new Map<string, string>();
    for (const pair of part.slice(colon + 1).split(',')) {
      if (pair === '') continue;
      const equals = pair.indexOf('=');
      if (equals < 1) throw badInput(`The bus address ${quote(text)} has ${quote(pair)} where key=value is due.`);
      const key = pair.slice(0, equals);
      if (keys.has(key)) throw badInput(`The bus address ${quote(text)} gives ${quote(key)} twice.`);
      keys.set(key, unescapeValue(pair.slice(equals + 1), text));
    }
    return { transport: part.slice(0, colon), keys };
  });
}

/** The socket paths of an address. Throws `E_INPUT`, naming what was passed over, if there is none. */
export function socketPaths(text: string): readonly string[] {
  const paths: string[] = [];
  const passedOver: string[] = [];
  for (const { transport, keys } of parseAddress(text)) {
    const path = transport === 'unix' ? keys.get('path') : undefined;
    if (path !== undefined && path !== '') paths.push(path);
    else passedOver.push(keys.has('abstract') ? 'an abstract socket' : quote(transport));
  }
  if (paths.length === 0) {
    throw badInput(
      `the bus address ${quote(text)} has no "unix:path=" (only ${passedOver.join(', ')})`,
      'set the variable to an address such as unix:path=/run/user/1000/bus',
    );
  }
  return paths;
}

/** Where a bus may be, in the order in which to try. An address in the environment rules out the usual places. */
export function busPaths(kind: BusKind, { env, uid }: BusEnvironment): readonly string[] {
  const address = kind === 'system' ? env.DBUS_SYSTEM_BUS_ADDRESS : env.DBUS_SESSION_BUS_ADDRESS;
  if (address !== undefined && address !== '') return socketPaths(address);
  if (kind === 'system') return ['/run/dbus/system_bus_socket', '/var/run/dbus/system_bus_socket'];
  const runtime = env.XDG_RUNTIME_DIR;
  // Not set by su, sudo and cron, though the directory is there when the user has a session or lingers.
  return [runtime !== undefined && runtime !== '' ? `${runtime}/bus` : `/run/user/${uid}/bus`];
}
