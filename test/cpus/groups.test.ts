import { describe, expect, it } from 'vitest';
import { printIndexSet } from '../../src/core/cpuset.ts';
import { accessOf, type GroupTree, parsePartition, readGroupTree } from '../../src/cpus/groups.ts';
import { FakeHost } from './fake-host.ts';

const ONLINE = [0, 1, 2, 3, 4, 5, 6, 7];

/** A v2 tree of groups: each has cpuset.cpus, cpuset.cpus.effective and maybe a partition; undefined has no such files. */
function unified(
  host: FakeHost,
  groups: Readonly<Record<string, readonly [asked: string, effective: string, partition?: string] | undefined>>,
): GroupTree | undefined {
  host.write({
    'proc/self/mountinfo': `30 20 0:26 / ${host.root}/cgroup rw - cgroup2 cgroup2 rw\n`,
    'cgroup/cgroup.procs': '',
  });
  for (const [path, files] of Object.entries(groups)) {
    host.write({ [`cgroup${path}/cgroup.procs`]: '' });
    if (files === undefined) continue;
    const [asked, effective, partition = 'member'] = files;
    host.write({
      [`cgroup${path}/cpuset.cpus`]: `${asked}\n`,
      [`cgroup${path}/cpuset.cpus.effective`]: `${effective}\n`,
      [`cgroup${path}/cpuset.cpus.partition`]: `${partition}\n`,
    });
  }
  return readGroupTree(host.paths, ONLINE);
}

describe('the groups of v2', () => {
  it('are those at the top, and below them those that ask, are narrower or are partitions', () => {
    using host = new FakeHost();
    const tree = unified(host, {
      '/init.scope': ['', '0-7'],
      '/system.slice': ['0-5', '0-5'],
      '/system.slice/a.service': ['', '0-5'],
      '/system.slice/b.service': ['7', '0-5'],
      '/system.slice/c.service': ['2', '2'],
      '/kubepods.slice': ['', '0-7'],
      '/kubepods.slice/kubepods-pod1.slice': ['', '0-7'],
      '/kubepods.slice/kubepods-pod1.slice/cri-x.scope': [
        '6-7',
        '6-7',
        'isolated invalid (Cpu list in cpuset.cpus not exclusive)',
      ],
    });
    const told = tree?.groups.map(({ path, asked, effective, partition }) => [
      path,
      printIndexSet(asked ?? [-1]),
      printIndexSet(effective),
      partition?.type,
    ]);
    expect(told).toEqual([
      ['/init.scope', '', '0-7', 'member'],
      ['/kubepods.slice', '', '0-7', 'member'],
      ['/kubepods.slice/kubepods-pod1.slice/cri-x.scope', '6-7', '6-7', 'isolated'],
      ['/system.slice', '0-5', '0-5', 'member'],
      ['/system.slice/b.service', '7', '0-5', 'member'],
      ['/system.slice/c.service', '2', '2', 'member'],
    ]);
    expect(tree?.groups[2]).toMatchObject({
      unit: 'cri-x.scope',
      partition: { type: 'isolated', invalid: 'Cpu list in cpuset.cpus not exclusive' },
    });
  });

  it('without cpuset files may run where the group above may', () => {
    using host = new FakeHost();
    const tree = unified(host, { '/system.slice': undefined, '/system.slice/a.service': undefined });
    expect(tree).toMatchObject({ version: 2, root: ONLINE, isolated: [] });
    expect(tree?.groups).toEqual([
      { path: '/system.slice', unit: 'system.slice', asked: undefined, effective: ONLINE, partition: undefined },
    ]);
  });

  it('the root says what partitions took', () => {
    using host = new FakeHost();
    host.write({ 'cgroup/cpuset.cpus.effective': '0-3\n', 'cgroup/cpuset.cpus.isolated': '4-7\n' });
    expect(unified(host, {})).toMatchObject({ root: [0, 1, 2, 3], isolated: [4, 5, 6, 7] });
  });

  it.each([
    ['_cpuset.slice', 'cpuset.slice'],
    ['x', undefined],
    ['dev-sda.swap', 'dev-sda.swap'],
  ])('the group %j is of the unit %j', (name, unit) => {
    using host = new FakeHost();
    expect(unified(host, { [`/${name}`]: undefined })?.groups[0]?.unit).toBe(unit);
  });
});

describe('the groups of v1', () => {
  it('are told where they are narrower than the one above', () => {
    using host = new FakeHost();
    host.write({
      'proc/self/mountinfo': `30 20 0:26 / ${host.root}/cs rw - cgroup cgroup rw,cpuset\n31 20 0:27 / ${host.root}/u rw - cgroup2 cgroup2 rw\n`,
      'cs/cpuset.cpus': '0-7\n',
      'cs/cpuset.effective_cpus': '0-7\n',
      'cs/docker/cpuset.cpus': '0-7\n',
      'cs/docker/cpuset.effective_cpus': '0-7\n',
      'cs/docker/a/cpuset.cpus': '0-7\n',
      'cs/docker/a/cpuset.effective_cpus': '0-7\n',
      'cs/docker/b/cpuset.cpus': '6\n',
      'cs/docker/b/cpuset.effective_cpus': '6\n',
    });
    const tree = readGroupTree(host.paths, ONLINE);
    expect(tree?.version).toBe(1);
    expect(tree?.groups.map(({ path }) => path)).toEqual(['/docker', '/docker/b']);
  });

  it('are none where nothing is mounted', () => {
    using host = new FakeHost();
    host.write({ 'proc/self/mountinfo': '' });
    expect(readGroupTree(host.paths, ONLINE)).toBeUndefined();
  });
});

// Texts of kernels 6.12 and 7.2.
it.each([
  ['member\n', 'member', undefined],
  ['root\n', 'root', undefined],
  ['isolated\n', 'isolated', undefined],
  [
    'root invalid (partition config conflicts with housekeeping setup)\n',
    'root',
    'partition config conflicts with housekeeping setup',
  ],
  ['isolated invalid\n', 'isolated', 'the kernel gives no reason'],
])('%j is a partition of type %s', (text, type, invalid) => {
  expect(parsePartition(text)).toEqual({ type, invalid });
});

it('CPUs are classed by the groups that may use them, of which one is all that comes later', () => {
  const group = (path: string, effective: number[]) => ({
    path,
    unit: undefined,
    asked: undefined,
    effective,
    partition: undefined,
  });
  const groups = [
    group('/a.slice', [4, 5]),
    group('/system.slice', [0, 1, 2, 3]),
    group('/system.slice/x.service', [0]),
    group('/user.slice', [0, 1, 2, 3]),
  ];
  const tree: GroupTree = { version: 2, root: ONLINE, isolated: [], groups };
  expect(accessOf(tree, ONLINE)).toEqual([
    { cpus: [0, 1, 2, 3], groups: ['/', '/system.slice', '/user.slice'] },
    { cpus: [4, 5], groups: ['/', '/a.slice'] },
    { cpus: [6, 7], groups: ['/'] },
  ]);
});
