import { describe, expect, it } from 'vitest';
import { containerd } from '../../../src/drivers/containerd/containerd.ts';
import { dialectOf } from '../../../src/drivers/containerd/dialect.ts';
import { loadConfig } from '../../../src/drivers/containerd/load.ts';
import { runtimeTables } from '../../../src/drivers/containerd/runtime-tables.ts';
import type { CgroupDriver } from '../../../src/drivers/model.ts';
import type { RootTree } from '../../../src/host/root-tree.ts';
import { carryOut, GOLDEN, hostOf, MAIN, makeTree, request } from './support.ts';

const VERDICTS = GOLDEN.flatMap(({ name, files, dump }) =>
  Object.entries(dump).map(([version, verdict]) => ({ name, files, version, verdict })),
);

function read(tree: RootTree, version: string): 'refused' | Record<string, CgroupDriver | undefined> {
  const dialect = dialectOf(version);
  const config = loadConfig(tree, MAIN, dialect);
  if (config.faults.length > 0) return 'refused';
  return Object.fromEntries(runtimeTables(config, dialect).map(({ name, driver }) => [name, driver]));
}

describe('the files are merged as by config dump', () => {
  it.each(VERDICTS)('$name, containerd $version', ({ files, version, verdict }) => {
    // A dump has runtimes of every kind.
    const { kata: _, ...runc } = verdict === 'refused' ? {} : verdict;
    expect(read(makeTree(files), version)).toEqual(verdict === 'refused' ? 'refused' : runc);
  });
});

describe('a plan leads to the driver that was asked for, and the next one to nothing', () => {
  const directions = VERDICTS.flatMap((each) => (['systemd', 'cgroupfs'] as const).map((to) => ({ ...each, to })));
  it.each(directions)('$name, containerd $version, to $to', async ({ files, version, to }) => {
    const tree = makeTree(files);
    const host = hostOf(tree, version);
    const [facts] = await containerd.read(host);
    if (facts === undefined) throw new Error('not found');
    const plan = containerd.plan(facts, request(to), []);
    if (plan.refusals.length > 0) {
      expect(plan.files).toEqual([]);
      return;
    }
    carryOut(tree, plan);
    const [after] = await containerd.read(host);
    if (after === undefined) throw new Error('not found');
    const drivers = containerd.status(after).map(({ configured }) => configured.driver);
    expect(new Set(drivers)).toEqual(new Set([to]));
    expect(containerd.plan(after, request(to), []).files).toEqual([]);
  });
});
