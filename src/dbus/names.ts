import { quote, SlicectlError } from '../core/errors.ts';

const UNIT_ROOT = '/org/freedesktop/systemd1/unit/';

/** The object path of a unit, as systemd's `unit_dbus_path_from_name` makes it: each byte outside `[A-Za-z0-9]` as `_xx`. */
export function unitPath(name: string): string {
  if (name === '') return `${UNIT_ROOT}_`;
  let label = '';
  for (const [at, byte] of Buffer.from(name).entries()) {
    const char = String.fromCharCode(byte);
    const isPlain = at === 0 ? /[A-Za-z]/.test(char) : /[A-Za-z0-9]/.test(char);
    label += isPlain ? char : `_${byte.toString(16).padStart(2, '0')}`;
  }
  return UNIT_ROOT + label;
}

/** The unit's name from its object path, or undefined for a path that is none of a unit. */
export function unitNameOf(path: string): string | undefined {
  if (!path.startsWith(UNIT_ROOT)) return undefined;
  const label = path.slice(UNIT_ROOT.length);
  if (label === '_') return '';
  if (!/^(?:[A-Za-z0-9]|_[0-9a-fA-F]{2})+$/.test(label)) return undefined;
  const bytes = label.match(/_[0-9a-fA-F]{2}|[A-Za-z0-9]/g) ?? [];
  return Buffer.from(
    bytes.map((part) => (part.length === 3 ? Number.parseInt(part.slice(1), 16) : part.charCodeAt(0))),
  ).toString();
}

export interface ManagerVersion {
  /** The number that decides what the manager knows. Distributions port features back, so it is a hint only. */
  readonly major: number;
  /** As the manager gives it: `252.39-1~deb12u1`. */
  readonly text: string;
}

/**
 * The first number after an optional quote and `v`. Seen in the wild: `"245.4-1.fc32"` with its quotes, `v241-1`,
 * `252.39-1~deb12u1`, `258~rc2`, `systemd 249`.
 */
export function parseVersion(text: string): ManagerVersion {
  const digits = /^"?(?:systemd )?v?(\d+)/.exec(text)?.[1];
  if (digits === undefined) {
    throw new SlicectlError('E_BUS', `systemd gives its version as ${quote(text)}, which has no number`, {
      data: { name: 'unexpected-version', text },
    });
  }
  return { major: Number(digits), text };
}
