import { chownSync, mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { delegation } from '../../src/backend/ownership.ts';
import type { CgroupLayout } from '../../src/host/cgroups.ts';
import { type FakeHost, fakeHost, v2Member } from './fake-tree.ts';

let host: FakeHost;
let layout: CgroupLayout;
const me = process.getuid?.() ?? -1;

beforeEach(() => {
  host = fakeHost({ 'cg/box/cgroup.procs': '', 'cg/box/cgroup.subtree_control': '' });
  layout = { mode: 'unified', v2: { mount: `${host.root}/cg`, root: '/' }, v1: new Map() };
});
afterEach(() => host.close());

const ask = (uid: number, group = '/box', isDelegatedUnit?: () => Promise<boolean>) =>
  delegation(host.paths, layout, v2Member(group), uid, isDelegatedUnit);

describe('delegation', () => {
  it('is there where no systemd runs and the group can be written', async () => {
    expect(await ask(0)).toEqual({ granted: true, because: 'no systemd' });
  });

  it('is asked of systemd by root where systemd runs', async () => {
    mkdirSync(`${host.root}/run/systemd/system`, { recursive: true });
    expect(await ask(0)).toMatchObject({ granted: false, refusal: { code: 'E_OWNED' } });
    expect(await ask(0, '/box', async () => false)).toMatchObject({ granted: false });
    expect(await ask(0, '/box', async () => true)).toEqual({ granted: true, because: 'delegated' });
  });

  it.skipIf(me !== 0)('shows to a user in the owner of the folder and its files (needs root to make one)', async () => {
    mkdirSync(`${host.root}/run/systemd/system`, { recursive: true });
    expect(await ask(1234)).toMatchObject({
      granted: false,
      refusal: { code: 'E_OWNED', hint: expect.stringContaining('--user') },
    });
    for (const file of ['', '/cgroup.procs', '/cgroup.subtree_control'])
      chownSync(`${host.root}/cg/box${file}`, 1234, 1234);
    expect(await ask(1234)).toEqual({ granted: true, because: 'delegated' });
    // Every group of a user's own systemd looks like this, delegated or not.
    expect(await ask(1234, '/box', async () => false)).toMatchObject({ granted: false });
  });

  it('is not there without a tree, or with a group that cannot be seen', async () => {
    expect(await ask(0, '/elsewhere')).toMatchObject({ granted: false, refusal: { code: 'E_NO_CGROUP' } });
    expect(await ask(0, '/../box')).toMatchObject({ granted: false, refusal: { code: 'E_NO_CGROUP' } });
    layout = { mode: 'none', v2: undefined, v1: new Map() };
    expect(await ask(0)).toMatchObject({ granted: false, refusal: { code: 'E_NO_CGROUP' } });
  });
});
