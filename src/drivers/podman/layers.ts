import type { RootTree } from '../../host/root-tree.ts';
import type { PodmanRules } from './versions.ts';

/** For whom podman would run. */
export interface PodmanUser {
  readonly uid: number;
  readonly name: string;
  /** Whether this is who asks: then podman can be asked, and what cannot be read stops podman too. */
  readonly isSelf: boolean;
  /** The folder `containers` of this user: in $XDG_CONFIG_HOME, or else in ~/.config. */
  readonly folder: string;
  /** $CONTAINERS_CONF and $CONTAINERS_CONF_OVERRIDE where they are known and set. */
  readonly only?: string | undefined;
  readonly override?: string | undefined;
}

/** One file that podman reads; a later one's values win. */
export interface Layer {
  readonly path: string;
  /** `environment`: a variable names it. */
  readonly kind: 'vendor' | 'admin' | 'user' | 'environment';
  /** podman fails where it is not there. */
  readonly required: boolean;
}

const VENDOR = '/usr/share/containers';
const ADMIN = '/etc/containers';

/** The files that may hold settings, in the order in which that podman reads them. A main file need not exist. */
export function layersOf(tree: RootTree, rules: PodmanRules, user: PodmanUser): readonly Layer[] {
  const override: Layer[] =
    rules.override && user.override ? [{ path: user.override, kind: 'environment', required: true }] : [];
  if (user.only) return [{ path: user.only, kind: 'environment', required: true }, ...override];
  return [...(rules.oneMainFile ? nearestFirst(tree, user) : inTurn(tree, rules, user)), ...override];
}

/** Before 6.0: each main file, with its drop-ins after it. */
function inTurn(tree: RootTree, rules: PodmanRules, user: PodmanUser): Layer[] {
  const main = (folder: string, kind: Layer['kind'], name = 'containers.conf'): Layer[] => [
    { path: `${folder}/${name}`, kind, required: false },
    ...(rules.dropIns && kind !== 'vendor' ? walked(tree, rules, `${folder}/${name}.d`, kind) : []),
  ];
  return [
    ...main(VENDOR, 'vendor'),
    ...main(ADMIN, 'admin'),
    ...(rules.rootless && user.uid > 0
      ? [
          ...main(ADMIN, 'admin', 'containers.rootless.conf'),
          ...walked(tree, rules, `${ADMIN}/containers.rootless.conf.d/${user.uid}`, 'admin'),
        ]
      : []),
    ...(rules.rootsOwn || user.uid > 0 ? main(user.folder, 'user') : []),
  ];
}

/** From 6.0 on: the nearest main file only, then all drop-ins by their names, of which a nearer one replaces another. */
function nearestFirst(tree: RootTree, user: PodmanUser): Layer[] {
  const places: readonly [folder: string, kind: Layer['kind']][] = [
    [VENDOR, 'vendor'],
    [ADMIN, 'admin'],
    [user.folder, 'user'],
  ];
  const main = places
    .map(([folder, kind]): Layer => ({ path: `${folder}/containers.conf`, kind, required: false }))
    .findLast(({ path }) => tree.kind(path) !== 'absent');
  const dropIns = new Map<string, Layer>();
  for (const [folder, kind] of places) {
    for (const dropInFolder of kind === 'user' ? [`${folder}/containers.conf.d`] : commonFolders(folder, user)) {
      // os.DirEntry.Type().IsRegular(): a link is none, whatever it leads to.
      const names = tree.list(dropInFolder).filter((name) => name.endsWith('.conf'));
      const files = names.filter((name) => tree.link(`${dropInFolder}/${name}`) === undefined);
      for (const name of files) {
        const path = `${dropInFolder}/${name}`;
        if (tree.kind(path) === 'file') dropIns.set(name, { path, kind, required: false });
      }
    }
  }
  const names = [...dropIns.keys()].sort(byBytes);
  return [...(main ? [main] : []), ...names.flatMap((name) => dropIns.get(name) ?? [])];
}

function commonFolders(folder: string, { uid }: PodmanUser): string[] {
  const special = `${folder}/containers.${uid > 0 ? 'rootless' : 'rootful'}.conf.d`;
  return [`${folder}/containers.conf.d`, special, ...(uid > 0 ? [`${special}/${uid}`] : [])];
}

/** The drop-ins of a folder, without those of folders in it. filepath.WalkDir, which came first, finds none behind a link. */
function walked(
  tree: RootTree,
  { brokenLinks, linkedFolder }: PodmanRules,
  folder: string,
  kind: Layer['kind'],
): Layer[] {
  if (!linkedFolder && tree.link(folder) !== undefined) return [];
  return tree
    .list(folder)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => `${folder}/${name}`)
    .filter((path) => tree.link(path) !== undefined || tree.kind(path) !== 'folder')
    .map((path) => ({ path, kind, required: !brokenLinks }));
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
