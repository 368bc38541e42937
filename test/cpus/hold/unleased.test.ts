import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { apply } from '../../../src/change/apply.ts';
import { listChanges } from '../../../src/change/journal.ts';
import { undo } from '../../../src/change/undo.ts';
import { parseIndexSet } from '../../../src/core/cpuset.ts';
import { jobId } from '../../../src/core/job-id.ts';
import { cpuChecks } from '../../../src/cpus/hold/checks.ts';
import { type Lease, leaseText } from '../../../src/cpus/lease/record.ts';
import { unleasedSteps } from '../../../src/cpus/unleased.ts';
import { bootId } from '../../../src/host/lock.ts';
import { HOST, type HostPaths } from '../../../src/host/paths.ts';
import { readOwner } from '../../../src/host/process.ts';
import { ModelHost, RELOAD } from '../../change/ground.ts';
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

describe('a change that begins with that look', () => {
  const reserve = async (work: (host: ModelHost, isFree: (now: boolean) => void) => Promise<void>): Promise<void> => {
    const host = new ModelHost(mkdtempSync(join(tmpdir(), 'slicectl-unleased-')));
    let ok = true;
    const context = host.context();
    const checks = { 'cpus.unleased': async () => ({ ok, found: 'the job a.scope has CPUs 6 for itself' }) };
    host.context = () => ({ ...context, checks });
    await work(host, (now) => {
      ok = now;
    }).finally(() => rmSync(host.root, { recursive: true }));
  };
  const { before } = unleasedSteps({ name: 'db.slice', cpus: [6, 7] });
  const planOn = (host: ModelHost) => host.plan(before, host.file('/etc/db.conf', 'reserved\n'), RELOAD);

  it('writes nothing where a job has CPUs, and is over', () =>
    reserve(async (host, isFree) => {
      isFree(false);
      await expect(apply(planOn(host), host.context())).rejects.toMatchObject({
        code: 'E_STEP',
        message: expect.stringContaining('the job a.scope has CPUs 6 for itself'),
        data: { undone: true, step: 1 },
      });
      expect(host.text('/etc/db.conf')).toBeUndefined();
      expect(listChanges(host.context().store)).toMatchObject([{ state: 'failed-and-undone' }]);
    }));

  it('goes back without it', () =>
    reserve(async (host, isFree) => {
      await apply(planOn(host), host.context());
      isFree(false);
      expect(await undo(undefined, host.context())).toMatchObject({ state: 'undone', problems: [] });
      expect(host.text('/etc/db.conf')).toBeUndefined();
    }));
});
