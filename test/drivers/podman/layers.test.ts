import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layersOf, type PodmanUser } from '../../../src/drivers/podman/layers.ts';
import { rulesOf } from '../../../src/drivers/podman/versions.ts';
import { PlannedTree } from '../../../src/drivers/service/planned-tree.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { useTree } from '../trees.ts';

const files = useTree();
const ROOT: PodmanUser = { uid: 0, name: 'root', isSelf: true, folder: '/root/.config/containers' };
const ALICE: PodmanUser = { uid: 1000, name: 'alice', isSelf: true, folder: '/home/alice/.config/containers' };

/** Those that are there, of those that podman would try. */
const read = (version: string, user: PodmanUser) =>
  layersOf(files.tree, rulesOf(version), user)
    .map(({ path }) => path)
    .filter((path) => files.tree.kind(path) === 'file' || user.only === path || user.override === path);

const EVERY = [
  '/usr/share/containers/containers.conf',
  '/usr/share/containers/containers.conf.d/05-distribution.conf',
  '/etc/containers/containers.conf',
  '/etc/containers/containers.conf.d/10-admin.conf',
  '/etc/containers/containers.conf.d/9-admin.conf',
  '/etc/containers/containers.conf.d/README',
  '/etc/containers/containers.conf.d/sub/20-deep.conf',
  '/etc/containers/containers.rootful.conf.d/30-root.conf',
  '/etc/containers/containers.rootless.conf',
  '/etc/containers/containers.rootless.conf.d/40-users.conf',
  '/etc/containers/containers.rootless.conf.d/1000/50-alice.conf',
  '/etc/containers/containers.rootless.conf.d/1001/50-bob.conf',
  '/root/.config/containers/containers.conf',
  '/root/.config/containers/containers.conf.d/60-root.conf',
  '/home/alice/.config/containers/containers.conf',
  '/home/alice/.config/containers/containers.conf.d/60-alice.conf',
];

describe('each version reads its own files, in its own order', () => {
  const E = '/etc/containers';
  const COMMON = ['/usr/share/containers/containers.conf', `${E}/containers.conf`];
  const DROP_INS = [`${E}/containers.conf.d/10-admin.conf`, `${E}/containers.conf.d/9-admin.conf`];
  const A = ALICE.folder;
  const OF_ALICE = [`${A}/containers.conf`, `${A}/containers.conf.d/60-alice.conf`];
  const OF_ROOT = [`${ROOT.folder}/containers.conf`, `${ROOT.folder}/containers.conf.d/60-root.conf`];

  it.each([
    ['3.2.3', ROOT, COMMON],
    ['3.2.3', ALICE, [...COMMON, `${A}/containers.conf`]],
    ['4.3.1', ROOT, [...COMMON, ...DROP_INS]],
    ['4.3.1', ALICE, [...COMMON, ...DROP_INS, ...OF_ALICE]],
    ['5.4.2', ROOT, [...COMMON, ...DROP_INS, ...OF_ROOT]],
    [
      '5.8.0',
      ALICE,
      [
        ...COMMON,
        ...DROP_INS,
        `${E}/containers.rootless.conf`,
        `${E}/containers.rootless.conf.d/40-users.conf`,
        `${E}/containers.rootless.conf.d/1000/50-alice.conf`,
        ...OF_ALICE,
      ],
    ],
    ['5.8.0', ROOT, [...COMMON, ...DROP_INS, ...OF_ROOT]],
    [
      '6.0.0',
      ALICE,
      [
        `${A}/containers.conf`,
        '/usr/share/containers/containers.conf.d/05-distribution.conf',
        `${E}/containers.conf.d/10-admin.conf`,
        `${E}/containers.rootless.conf.d/40-users.conf`,
        `${E}/containers.rootless.conf.d/1000/50-alice.conf`,
        `${A}/containers.conf.d/60-alice.conf`,
        `${E}/containers.conf.d/9-admin.conf`,
      ],
    ],
    [
      '6.0.0',
      ROOT,
      [
        `${ROOT.folder}/containers.conf`,
        '/usr/share/containers/containers.conf.d/05-distribution.conf',
        `${E}/containers.conf.d/10-admin.conf`,
        `${E}/containers.rootful.conf.d/30-root.conf`,
        `${ROOT.folder}/containers.conf.d/60-root.conf`,
        `${E}/containers.conf.d/9-admin.conf`,
      ],
    ],
  ])('%s for $1.name', (version, user, expected) => {
    for (const path of EVERY) files.put(path);
    expect(read(version, user)).toEqual(expected);
  });
});

it('CONTAINERS_CONF replaces all files, and CONTAINERS_CONF_OVERRIDE comes last where that podman knows it', () => {
  for (const path of EVERY) files.put(path);
  const user = { ...ROOT, only: '/srv/only.conf', override: '/srv/override.conf' };
  expect(read('4.3.1', user)).toEqual(['/srv/only.conf']);
  expect(read('5.4.2', user)).toEqual(['/srv/only.conf', '/srv/override.conf']);
  expect(read('5.4.2', { ...ROOT, override: '/srv/override.conf' }).at(-1)).toBe('/srv/override.conf');
});

describe('links', () => {
  it('to a drop-in are followed before 6.0 and are no drop-ins from then on', () => {
    files.put('/srv/mine.conf');
    files.link('/etc/containers/containers.conf.d/50-mine.conf', '/srv/mine.conf');
    expect(read('5.4.2', ROOT)).toEqual(['/etc/containers/containers.conf.d/50-mine.conf']);
    expect(read('6.0.0', ROOT)).toEqual([]);
  });

  it('in the place of the folder hide its drop-ins before 5.7 and not from then on', () => {
    files.put('/srv/drop-ins/50-mine.conf');
    files.link('/etc/containers/containers.conf.d', '/srv/drop-ins');
    expect(read('5.4.2', ROOT)).toEqual([]);
    for (const version of ['5.8.6', '6.0.0']) {
      expect(read(version, ROOT)).toEqual(['/etc/containers/containers.conf.d/50-mine.conf']);
    }
  });
});

describe('which file wins, for any set of files', () => {
  const FOLDERS = ['/usr/share/containers', '/etc/containers', ROOT.folder] as const;
  const place = fc.record({
    folder: fc.constantFrom(...FOLDERS),
    // Undefined is the main file.
    name: fc.constantFrom(
      undefined,
      '1.conf',
      '10.conf',
      '2.conf',
      'a.conf',
      'Z.conf',
      'x.txt',
      'ü.conf',
      '\u{1f433}.conf',
      '\uffff.conf',
    ),
  });
  type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;
  const pathOf = ({ folder, name }: Place) => `${folder}/containers.conf${name === undefined ? '' : `.d/${name}`}`;
  const treeOf = (places: readonly Place[]) =>
    new PlannedTree(
      new RootTree('/nonexistent'),
      places.map((each) => {
        const after = { exists: true, bytes: new Uint8Array(), mode: 0o644, uid: 0, gid: 0 } as const;
        return {
          kind: 'file',
          path: pathOf(each),
          target: pathOf(each),
          before: { exists: false },
          after,
          purpose: '',
        };
      }),
    );
  const winner = (version: string, places: readonly Place[]) => {
    const tree = treeOf(places);
    const there = layersOf(tree, rulesOf(version), ROOT).filter(({ path }) => tree.kind(path) === 'file');
    return there.at(-1)?.path;
  };
  const rank = (folder: Place['folder']) => FOLDERS.indexOf(folder);
  const byName = (a = '', b = '') => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const isDropIn = ({ name }: Place) => name?.endsWith('.conf') ?? false;
  const best = (places: readonly Place[], order: (a: Place, b: Place) => number) => {
    const first = [...places].sort((a, b) => order(b, a))[0];
    return first && pathOf(first);
  };

  it('before 6.0 the nearest folder does, in it the drop-in with the last name, and the vendor has no drop-ins', () => {
    fc.assert(
      fc.property(fc.array(place), (places) => {
        const counted = places.filter((each) => each.name === undefined || (isDropIn(each) && rank(each.folder) > 0));
        expect(winner('5.4.2', places)).toBe(
          best(counted, (a, b) => rank(a.folder) - rank(b.folder) || byName(a.name, b.name)),
        );
      }),
    );
  });

  it('from 6.0 on the drop-in with the last name does, of equal ones the nearest, and without any the nearest main file', () => {
    fc.assert(
      fc.property(fc.array(place), (places) => {
        const counted = places.filter((each) => each.name === undefined || isDropIn(each));
        expect(winner('6.0.0', places)).toBe(
          best(counted, (a, b) => byName(a.name, b.name) || rank(a.folder) - rank(b.folder)),
        );
      }),
    );
  });
});
