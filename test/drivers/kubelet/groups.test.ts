import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { podsGroup, podsGroups, podsInGroups } from '../../../src/drivers/kubelet/groups.ts';
import type { HostPaths } from '../../../src/host/paths.ts';

let root = '';
let paths: HostPaths;
const UID = '0f7c2a3e-9f4b-4c55-8e6d-2f7f0f6f1a11';
const SLICE_UID = UID.replaceAll('-', '_');

/** A host whose mountinfo has these lines. */
const mounts = (...lines: string[]): void => {
  mkdirSync(join(root, 'proc/self'), { recursive: true });
  writeFileSync(join(root, 'proc/self/mountinfo'), lines.join('\n'));
};
const v2 = (): void => mounts(`30 1 0:26 / ${root}/sys/fs/cgroup rw - cgroup2 cgroup2 rw`);

const group = (path: string, files: Readonly<Record<string, string>> = {}): void => {
  const folder = join(root, 'sys/fs/cgroup', path);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-pods-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  paths = { proc: join(root, 'proc'), sys: join(root, 'sys'), etc: join(root, 'etc'), run: join(root, 'run') };
});

describe('the group of all pods', () => {
  it.each([
    ['systemd', '/', '/kubepods.slice'],
    ['cgroupfs', '/', '/kubepods'],
    ['cgroupfs', '/a/b', '/a/b/kubepods'],
    ['systemd', '/a/b-c', '/a.slice/a-b_c.slice/a-b_c-kubepods.slice'],
    ['systemd', '/pods.slice', '/pods.slice/pods-kubepods.slice'],
  ] as const)('with %s below %s is %s', (driver, below, expected) => {
    expect(podsGroup(driver, below)).toBe(expected);
  });

  it('tells the driver, both after a change', () => {
    v2();
    expect(podsGroups(paths, '/')).toEqual([]);
    group('kubepods.slice');
    expect(podsGroups(paths, '/')).toEqual(['systemd']);
    group('kubepods');
    expect(podsGroups(paths, '/')).toEqual(['systemd', 'cgroupfs']);
  });

  it('is looked for in a hierarchy of v1', () => {
    mounts(
      `31 1 0:27 / ${root}/sys/fs/cgroup/pids rw - cgroup cgroup rw,pids`,
      `32 1 0:28 / ${root}/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`,
    );
    group('memory/kubepods');
    expect(podsGroups(paths, '/')).toEqual(['cgroupfs']);
  });
});

describe('pods', () => {
  it('are found by their groups that have processes, of either driver and of each class', () => {
    v2();
    const other = UID.replace('0f7c', '1f7c');
    group(`kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICE_UID}.slice`, {
      'cgroup.events': 'populated 1\nfrozen 0\n',
    });
    group(`kubepods/besteffort/pod${other}`, { 'cgroup.events': 'populated 1\n' });
    group(`kubepods/pod${UID.replace('0f7c', '2f7c')}`, { 'cgroup.events': 'populated 0\n' });
    group('kubepods/besteffort', { 'cgroup.events': 'populated 1\n' });
    expect(podsInGroups(paths, '/')).toEqual([UID, other]);
  });

  it('are found on v1 by the processes of their containers, static ones too', () => {
    mounts(`31 1 0:27 / ${root}/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`);
    const hash = 'd5c1fd2ba3a5d1b40c8d2a44cbb1d3a1';
    group(`memory/kubepods/burstable/pod${hash}`, { 'cgroup.procs': '' });
    group(`memory/kubepods/burstable/pod${hash}/abc`, { 'cgroup.procs': '17\n' });
    group(`memory/kubepods/pod${UID}`, { 'cgroup.procs': '' });
    expect(podsInGroups(paths, '/')).toEqual([hash]);
  });

  it('are none where no cgroups are to be seen', () => {
    mounts('');
    expect(podsInGroups(paths, '/')).toEqual([]);
  });
});
