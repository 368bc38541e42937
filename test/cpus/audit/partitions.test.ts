import { describe, expect, it } from 'vitest';
import { leakFindings, partitionFindings } from '../../../src/cpus/audit/partitions.ts';
import { group, type ViewChange, viewWith } from './ground.ts';

const ROOT = { partitions: [{ unit: 'db.slice', type: 'root' as const }] };

const partitions = (change: ViewChange) => partitionFindings(viewWith({ wanted: ROOT, ...change }));

describe('a partition that is wanted', () => {
  it('is lost where its slice does not run', () => {
    expect(partitions({ tree: { groups: [] } })).toMatchObject([
      {
        kind: 'partition-lost',
        severity: 'drift',
        subject: 'db.slice',
        cause: 'its slice does not run',
        isFixable: true,
      },
    ]);
  });

  it('is lost where somebody took the controller away', () => {
    const tree = { groups: [group('/db.slice', undefined, [6, 7], { partition: undefined })] };
    expect(partitions({ tree, traces: { rootControllers: ['memory'], meddlers: ['intel_lpmd'] } })).toMatchObject([
      { kind: 'partition-lost', cause: expect.stringMatching(/intel_lpmd runs\) wrote -cpuset/), isFixable: true },
    ]);
    expect(partitions({ tree })).toMatchObject([
      { kind: 'partition-lost', what: expect.stringContaining('has no cpuset') },
    ]);
  });

  it('is not judged where no cpuset hierarchy can be read', () => {
    expect(partitions({ facts: { groups: undefined } })).toEqual([]);
  });
});

describe('a CPU that nobody can use', () => {
  const partition = { type: 'isolated' as const, invalid: undefined };
  const groups = [group('/db.slice', [6, 7], [6], { partition })];

  it('is mended by audit --fix', () => {
    expect(leakFindings(viewWith({ tree: { groups, isolated: [4, 6] } }))).toMatchObject([
      { kind: 'isolated-leak', subject: 'CPUs 4', cure: 'slicectl cpus audit --fix', isFixable: true },
    ]);
  });

  it('is not one that is offline, nor one of isolcpus=', () => {
    const machine = { offline: [7], isolated: [3] };
    expect(leakFindings(viewWith({ tree: { groups, isolated: [3, 6, 7] }, machine }))).toEqual([]);
  });
});
