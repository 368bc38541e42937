import { nameSpecifier, type SpecifierLookup } from '../core/specifiers.ts';
import type { RootTree } from './root-tree.ts';
import type { UnitUser } from './unit-files.ts';

/** What the tree answers of a unit's specifiers (systemd.unit(5)); the rest is known only while systemd runs the unit. */
export function specifiersOf(
  tree: RootTree,
  unit: string,
  fragment: string | undefined,
  user?: UnitUser,
): SpecifierLookup {
  return (letter) =>
    nameSpecifier(unit, letter) ?? folderOf(letter, user) ?? whoOf(letter, user) ?? hostOf(tree, letter, fragment);
}

function folderOf(letter: string, user: UnitUser | undefined): string | undefined {
  const system: Readonly<Record<string, string>> = {
    t: '/run',
    S: '/var/lib',
    C: '/var/cache',
    L: '/var/log',
    E: '/etc',
    D: '/usr/share',
  };
  const home = user?.home ?? '';
  const own: Readonly<Record<string, string>> = {
    t: `/run/user/${user?.uid}`,
    S: `${home}/.local/state`,
    C: `${home}/.cache`,
    L: `${home}/.local/state/log`,
    E: `${home}/.config`,
    D: `${home}/.local/share`,
  };
  if (letter === 'T') return '/tmp';
  if (letter === 'V') return '/var/tmp';
  return (user === undefined ? system : own)[letter];
}

/** `%u %U %h` are those of the manager, not of `User=`. */
function whoOf(letter: string, user: UnitUser | undefined): string | undefined {
  if (letter === 'u') return user?.name ?? 'root';
  if (letter === 'U') return String(user?.uid ?? 0);
  if (letter === 'h') return user?.home ?? '/root';
  if (user === undefined && letter === 'g') return 'root';
  if (user === undefined && letter === 'G') return '0';
  return undefined;
}

function hostOf(tree: RootTree, letter: string, fragment: string | undefined): string | undefined {
  const line = (path: string): string | undefined => {
    const text = tree.text(path)?.trim();
    return text === '' ? undefined : text;
  };
  switch (letter) {
    case 'H':
      return line('/proc/sys/kernel/hostname') ?? line('/etc/hostname');
    case 'l':
      return (line('/proc/sys/kernel/hostname') ?? line('/etc/hostname'))?.replace(/\..*$/s, '');
    case 'm':
      return line('/etc/machine-id');
    case 'b':
      return line('/proc/sys/kernel/random/boot_id')?.replaceAll('-', '');
    case 'v':
      return line('/proc/sys/kernel/osrelease');
    case 'y':
      return fragment === undefined ? undefined : tree.follow(fragment);
    case 'Y':
      return fragment === undefined ? undefined : tree.follow(fragment).replace(/\/[^/]*$/, '');
    default:
      return undefined;
  }
}
