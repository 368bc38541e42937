import { posix } from 'node:path';
import type { RootTree } from './root-tree.ts';

/** The user whose manager is meant instead of PID 1. */
export interface UnitUser {
  readonly home: string;
  readonly name: string;
  readonly uid: number;
}

/** What systemd reads for a unit at its next start or reload. */
export interface UnitFiles {
  /** The unit's own name, which an alias leads to. */
  readonly id: string;
  /** The own name and its aliases. */
  readonly names: readonly string[];
  /** Undefined for a unit that is masked, or only made of drop-ins. */
  readonly fragment: string | undefined;
  /** The link to /dev/null or the empty file that masks it. */
  readonly maskedBy: string | undefined;
  /** In the order in which they are applied. */
  readonly dropIns: readonly string[];
}

/**
 * Folders of unit files, the one that wins first (systemd.unit(5), lookup_paths_init in src/libsystemd/sd-path and
 * src/basic/path-lookup.c).
 */
export function unitFolders(user?: UnitUser): readonly string[] {
  if (user === undefined) {
    return [
      '/etc/systemd/system.control',
      '/run/systemd/system.control',
      '/run/systemd/transient',
      '/run/systemd/generator.early',
      '/etc/systemd/system',
      '/etc/systemd/system.attached',
      '/run/systemd/system',
      '/run/systemd/system.attached',
      '/run/systemd/generator',
      '/usr/local/lib/systemd/system',
      '/usr/lib/systemd/system',
      '/lib/systemd/system',
      '/run/systemd/generator.late',
    ];
  }
  const config = `${user.home}/.config/systemd`;
  const runtime = `/run/user/${user.uid}/systemd`;
  return [
    `${config}/user.control`,
    `${runtime}/user.control`,
    `${runtime}/transient`,
    `${runtime}/generator.early`,
    `${config}/user`,
    '/etc/xdg/systemd/user',
    '/etc/systemd/user',
    `${runtime}/user`,
    '/run/systemd/user',
    `${runtime}/generator`,
    `${user.home}/.local/share/systemd/user`,
    '/usr/local/share/systemd/user',
    '/usr/share/systemd/user',
    '/usr/local/lib/systemd/user',
    '/usr/lib/systemd/user',
    '/lib/systemd/user',
    `${runtime}/generator.late`,
  ];
}

type Found =
  | { readonly kind: 'file' | 'mask'; readonly path: string }
  | { readonly kind: 'alias'; readonly target: string };

/** The files of a unit, or undefined where the tree has neither a fragment nor a mask for it. */
export function findUnitFiles(tree: RootTree, unit: string, user?: UnitUser): UnitFiles | undefined {
  const folders = ownFolders(tree, unitFolders(user));
  const aliases = new Set<string>();
  let id = unit;
  let found = lookUp(tree, folders, id);
  while (found?.kind === 'alias' && !aliases.has(id)) {
    aliases.add(id);
    id = instanceOf(found.target, unit);
    found = lookUp(tree, folders, id);
  }
  if (found === undefined || found.kind === 'alias') return undefined;
  const names = [...new Set([id, ...aliases, ...aliasesOf(tree, folders, id)])];
  return {
    id,
    names,
    fragment: found.kind === 'file' ? found.path : undefined,
    maskedBy: found.kind === 'mask' ? found.path : undefined,
    dropIns: found.kind === 'mask' ? [] : dropInsOf(tree, folders, names),
  };
}

/** The drop-ins of a unit, also of one without a file of its own, such as a slice that a unit in it brought along. */
export function findDropIns(tree: RootTree, unit: string): readonly string[] {
  return findUnitFiles(tree, unit)?.dropIns ?? dropInsOf(tree, ownFolders(tree, unitFolders()), [unit]);
}

/** Without those that are links to others of the list, such as /lib on a host with merged /usr. */
function ownFolders(tree: RootTree, folders: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return folders.filter((folder) => {
    const target = tree.follow(folder);
    if (seen.has(target)) return false;
    seen.add(target);
    return true;
  });
}

function lookUp(tree: RootTree, folders: readonly string[], name: string): Found | undefined {
  return (
    lookUpName(tree, folders, name) ?? (isInstance(name) ? lookUpName(tree, folders, templateOf(name)) : undefined)
  );
}

function lookUpName(tree: RootTree, folders: readonly string[], name: string): Found | undefined {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    const link = tree.link(path);
    const target = link === undefined ? undefined : posix.resolve(tree.follow(folder), link);
    if (target === '/dev/null' || tree.follow(path) === '/dev/null') return { kind: 'mask', path };
    if (target !== undefined && posix.basename(target) !== name && isBelow(tree, folders, target)) {
      return { kind: 'alias', target: posix.basename(target) };
    }
    if (tree.kind(path) !== 'file') continue;
    return { kind: tree.read(path)?.bytes.length === 0 ? 'mask' : 'file', path };
  }
  return undefined;
}

function isBelow(tree: RootTree, folders: readonly string[], target: string): boolean {
  const folder = posix.dirname(target);
  return folders.includes(folder) || folders.some((known) => tree.follow(known) === tree.follow(folder));
}

/** Names in the folders that are links to the unit. */
function aliasesOf(tree: RootTree, folders: readonly string[], id: string): string[] {
  const links = new Set(folders.flatMap((folder) => tree.listLinks(folder)));
  const suffix = id.slice(id.lastIndexOf('.'));
  return [...links].filter((name) => {
    if (name === id || !name.endsWith(suffix)) return false;
    const found = lookUpName(tree, folders, name);
    return found?.kind === 'alias' && found.target === id;
  });
}

const isInstance = (name: string): boolean => /@./.test(name.slice(0, name.lastIndexOf('.')));

function templateOf(name: string): string {
  return `${name.slice(0, name.indexOf('@') + 1)}${name.slice(name.lastIndexOf('.'))}`;
}

/** An alias of a template leads to a template, whose instance is the one that was asked for. */
function instanceOf(target: string, asked: string): string {
  if (!target.includes('@.') || !isInstance(asked)) return target;
  const instance = asked.slice(asked.indexOf('@') + 1, asked.lastIndexOf('.'));
  return target.replace('@.', `@${instance}.`);
}

/**
 * `*.conf` of `NAME.d`, of the template, of each prefix (`a-b-.service.d`, `a-.service.d`) and of the type
 * (`service.d`). Of two files with one name the first one counts, whatever is in it: by the unit's names, then by folder,
 * then from the longest prefix to the shortest, and the type's last. All are applied by name
 * (unit_file_find_dropin_paths, src/shared/dropin.c).
 */
function dropInsOf(tree: RootTree, folders: readonly string[], names: readonly string[]): string[] {
  const type = names[0]?.slice(names[0].lastIndexOf('.') + 1) ?? '';
  const stems = [...names.map(dropInNames), [type]];
  const files = new Map<string, string>();
  for (const own of stems) {
    for (const [folder, stem] of folders.flatMap((at) => own.map((one) => [at, one] as const))) {
      for (const name of tree.list(`${folder}/${stem}.d`)) {
        if (!name.endsWith('.conf') || name.startsWith('.') || files.has(name)) continue;
        if (tree.kind(`${folder}/${stem}.d/${name}`) !== 'folder') files.set(name, `${folder}/${stem}.d/${name}`);
      }
    }
  }
  return [...files.entries()]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([, path]) => path);
}

/** `a-b@c.service` → itself, `a-b@.service`, `a-.service`. */
function dropInNames(name: string): string[] {
  const suffix = name.slice(name.lastIndexOf('.'));
  const prefix = name.slice(0, name.includes('@') ? name.indexOf('@') : name.lastIndexOf('.'));
  const names = isInstance(name) ? [name, templateOf(name)] : [name];
  for (let at = prefix.lastIndexOf('-', prefix.length - 2); at > 0; at = prefix.lastIndexOf('-', at - 1)) {
    names.push(`${prefix.slice(0, at + 1)}${suffix}`);
  }
  return names;
}
