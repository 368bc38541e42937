import { ifReadable } from './readable.ts';
import type { RootTree } from './root-tree.ts';

export interface InstalledPackage {
  readonly name: string;
  /** Without epoch and without the packager's revision: `20.10.24+dfsg1`, `28.5.2`. */
  readonly version: string;
}

/**
 * The first of `names` that the tree's package database says is installed: dpkg, apk, pacman, and rpm as far as its
 * binary database can be read without rpm. Undefined where none is, and where the database cannot be read: that a
 * version is unknown is never worse than one that is wrong.
 */
export function packageVersion(tree: RootTree, names: readonly string[]): InstalledPackage | undefined {
  const wanted = new Set(names);
  for (const database of [dpkg, apk, pacman, rpm]) {
    const found = ifReadable(() => database(tree, wanted)) ?? new Map<string, string>();
    const name = names.find((candidate) => found.has(candidate));
    if (name !== undefined) return { name, version: upstreamVersion(found.get(name) ?? '') };
  }
  return undefined;
}

/** The version between epoch and revision: `5:24.0.7-1~debian.12` → `24.0.7`, `24.0.7-r0` → `24.0.7`. */
export function upstreamVersion(full: string): string {
  return full.replace(/^\d+:/, '').replace(/-[^-]*$/, '');
}

/** /var/lib/dpkg/status, and the folder that stands for it in distroless images. */
function dpkg(tree: RootTree, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const status = tree.text('/var/lib/dpkg/status') ?? '';
  const parts = tree
    .list('/var/lib/dpkg/status.d')
    .filter((file) => !file.endsWith('.md5sums'))
    .map((file) => tree.text(`/var/lib/dpkg/status.d/${file}`) ?? '');
  const found = new Map<string, string>();
  for (const stanza of [status, ...parts].flatMap((text) => text.split(/\r?\n(?:[ \t]*\r?\n)+/))) {
    const name = field(stanza, 'Package');
    const version = field(stanza, 'Version');
    if (name === undefined || version === undefined || !names.has(name)) continue;
    // dpkg(1), "Package states": in all but the last three the package's files are in place.
    const state = field(stanza, 'Status')?.split(/\s+/)[2] ?? 'installed';
    if (!['not-installed', 'config-files', 'half-installed'].includes(state)) found.set(name, version);
  }
  return found;
}

function field(stanza: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(\\S[^\\r\\n]*?)[ \\t]*\\r?$`, 'mi').exec(stanza)?.[1];
}

/** apk's list: blocks of `P:name` and `V:version`. */
function apk(tree: RootTree, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const text = tree.text('/lib/apk/db/installed') ?? tree.text('/usr/lib/apk/db/installed') ?? '';
  const found = new Map<string, string>();
  for (const block of text.split(/\n\n+/)) {
    const name = /^P:(.+)$/m.exec(block)?.[1];
    const version = /^V:(.+)$/m.exec(block)?.[1];
    if (name !== undefined && version !== undefined && names.has(name)) found.set(name, version);
  }
  return found;
}

/** pacman's folders, named `NAME-VERSION-RELEASE`; pacman itself takes the name from there. */
function pacman(tree: RootTree, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const folder of tree.list('/var/lib/pacman/local')) {
    const [, name, version] = /^(.+)-([^-]+-[^-]+)$/.exec(folder) ?? [];
    if (name !== undefined && version !== undefined && names.has(name)) found.set(name, version);
  }
  return found;
}

/** Where rpm keeps its database, in its three formats: sqlite, ndb and Berkeley DB. */
const RPM_FILES = ['/usr/lib/sysimage/rpm', '/var/lib/rpm'].flatMap((folder) =>
  ['rpmdb.sqlite', 'rpmdb.sqlite-wal', 'Packages.db', 'Packages'].map((file) => `${folder}/${file}`),
);

/**
 * rpm's headers lie in all three formats as they are in a package: strings with a NUL after each, and name, version and
 * release follow each other (rpm's "Package format": tags 1000, 1001, 1002). So they are found without knowing the
 * format. Records that were deleted can be found too, hence a name with two versions tells nothing.
 */
function rpm(tree: RootTree, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const targets = new Set(RPM_FILES.map((path) => tree.follow(path)));
  const files = [...targets].flatMap((path) => tree.read(path)?.bytes ?? []);
  const found = new Map<string, string>();
  for (const name of names) {
    const versions = new Set(files.flatMap((bytes) => versionsAfter(bytes, name)));
    const [version] = versions;
    if (version !== undefined && versions.size === 1) found.set(name, version);
  }
  return found;
}

/** `VERSION-RELEASE` of each place where name, version and release follow each other. */
function versionsAfter(bytes: Buffer, name: string): string[] {
  const found: string[] = [];
  const key = Buffer.from(`\0${name}\0`);
  const longest = 200;
  for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key, at + 1)) {
    const start = at + key.length;
    const [, version, release] =
      /^(\d[\w.+~^]*)\0([\w.+~^]+)\0/.exec(bytes.toString('latin1', start, start + longest)) ?? [];
    if (version !== undefined) found.push(`${version}-${release}`);
  }
  return found;
}
