import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { parseIndexSet } from '../../../src/core/cpuset.ts';
import { jobId } from '../../../src/core/job-id.ts';
import { cpuChecks } from '../../../src/cpus/hold/checks.ts';
import { type Lease, leaseText } from '../../../src/cpus/lease/record.ts';
import { bootId } from '../../../src/host/lock.ts';
import { HOST, type HostPaths } from '../../../src/host/paths.ts';
import { readOwner } from '../../../src/host/process.ts';
import { FakeHost } from '../fake-host.ts';

const self = readOwner(HOST);

function leaseOn(cpus: string, more: Partial<Lease> = {}): Lease {
  return {
    id: jobId(self, 900),
    cpus: parseIndexSet(cpus, 'cpus'),
    command: 'make',
    reservation: undefined,
    maker: { ...self, bootId: bootId(HOST) },
    since: '2026-01-01T00:00:00.000Z',
    unit: undefined,
    group: undefined,
    ...more,
  };
}

/** The check of db.slice with CPUs 6-7 on a host with this file of a lease. */
async function look(lease: Lease | string) {
  using fake = new FakeHost();
  const text = typeof lease === 'string' ? lease : leaseText(lease);
  const paths: HostPaths = { ...HOST, run: fake.paths.run };
  fake.write({ [`run/slicectl/leases/${jobId(self, 900)}.json`]: text });
  const check = cpuChecks({ paths }, { uid: process.getuid?.() ?? 0 })['cpus.unleased'];
  return await check?.({ cpus: '6-7', within: 'db.slice' }, '/');
}

describe('CPUs that are to be reserved', () => {
  it.each<[string, Lease]>([
    ['a job has others', leaseOn('4-5')],
    ['a job of the slice has some of them', leaseOn('6', { reservation: 'db.slice' })],
    ['a job had some that is over', leaseOn('6-7', { maker: { ...self, bootId: 'another' } })],
  ])('are free where %s', async (_, lease) => {
    expect(await look(lease)).toEqual({ ok: true, found: 'no job elsewhere has some of CPUs 6-7 for itself' });
  });

  it('are not where a job took some, which is named', async () => {
    expect(await look(leaseOn('5-6', { unit: 'make-1.scope' }))).toEqual({
      ok: false,
      found: 'the job make-1.scope has CPUs 6 for itself: wait for its end, or name other CPUs',
    });
  });

  it('are not where a job of the slice would lose some of its own', async () => {
    const result = await look(leaseOn('5-6', { reservation: 'db.slice' }));
    expect(result?.found).toBe('the job "make" has CPUs 5-6 of db.slice for itself: wait for its end');
  });

  it('are not known to be free where a lease cannot be read', async () => {
    await expect(look('{"version":2}')).rejects.toMatchObject({ code: 'E_SYNTAX' });
  });
});
