import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SystemdLink } from '../../../src/backend/systemd-link.ts';
import { beforeAction } from '../../../src/cpus/hold/before.ts';
import { KERNEL_BEFORE_PATH } from '../../../src/cpus/kernel-before.ts';
import { RootTree } from '../../../src/host/root-tree.ts';
import { FakeHost } from '../fake-host.ts';

const actionOn = ({ root, paths }: FakeHost) =>
  beforeAction({ tree: new RootTree(root), paths, link: {} as SystemdLink });

const textOn = ({ root }: FakeHost): string | undefined => {
  const path = join(root, KERNEL_BEFORE_PATH);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
};

describe('the file of what was there before', () => {
  it('is made with its folder, and both go with an undo', async () => {
    using host = new FakeHost().write({ 'run/other': '' });
    const action = actionOn(host);
    const facts = await action.facts({ text: 'first' });
    await action.carryOut({ text: 'first' }, facts);
    await action.carryOut({ text: 'first' }, facts);
    expect(textOn(host)).toBe('first');
    await action.takeBack({ text: 'first' }, facts);
    expect(existsSync(join(host.root, 'run/slicectl'))).toBe(false);
  });

  it('says what it said, when a later change is undone or a release', async () => {
    using host = new FakeHost().write({ [KERNEL_BEFORE_PATH]: 'first' });
    for (const text of ['second', null]) {
      const action = actionOn(host);
      const facts = await action.facts({ text });
      await action.carryOut({ text }, facts);
      expect(textOn(host)).toBe(text ?? undefined);
      await action.takeBack({ text }, facts);
      expect(textOn(host)).toBe('first');
    }
  });

  it("that a boot made anew is in nobody's way: it goes with the first reservation, and stays for others", async () => {
    using host = new FakeHost().write({ [KERNEL_BEFORE_PATH]: 'of this boot' });
    const action = actionOn(host);
    await action.takeBack({ text: 'second' }, { text: 'first', folders: [] });
    expect(textOn(host)).toBe('of this boot');
    await action.takeBack({ text: 'first' }, { text: null, folders: [] });
    expect(textOn(host)).toBeUndefined();
  });
});
