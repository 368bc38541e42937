import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseIndexSet, printIndexSet } from '../../../src/core/cpuset.ts';
import { jobId } from '../../../src/core/job-id.ts';
import { type FixedGround, sweepLeases, takeLease } from '../../../src/cpus/lease/lease.ts';
import { type Lease, leaseText, parseLease } from '../../../src/cpus/lease/record.ts';
import { type LeaseStore, openLeases, readLeases, writeLease } from '../../../src/cpus/lease/store.ts';
import { bootId, readHolder } from '../../../src/host/lock.ts';
import { HOST } from '../../../src/host/paths.ts';
import { readOwner } from '../../../src/host/process.ts';
import { GUEST_8, topologyOf } from '../fake-host.ts';

const topology = topologyOf(GUEST_8);
const ground: FixedGround = {
  topology,
  readReservations: () => [],
  interrupts: new Map(),
  open: topology.online,
  place: '/system.slice',
};
const ONE = { cores: 1, node: undefined, reservation: undefined };
const self = readOwner(HOST);
/** A process that was here and has ended: this one, as if it had begun at another time. */
const DEAD = { ...self, startTime: 1n };

let root: string;
let store: LeaseStore;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-leases-'));
  const uid = process.getuid?.() ?? 0;
  store = { folder: `${root}/slicectl/leases`, paths: HOST, uid, world: 'machine', above: undefined };
});
afterEach(() => rmSync(root, { recursive: true }));

function lease(more: Partial<Lease> = {}, owner = self): Lease {
  return {
    id: jobId(owner, 900),
    cpus: parseIndexSet('6-7', 'cpus'),
    command: 'make',
    reservation: undefined,
    maker: { ...owner, bootId: bootId(HOST) },
    since: '2026-01-01T00:00:00.000Z',
    unit: undefined,
    group: undefined,
    ...more,
  };
}

/** A folder that stands for a group, with these processes. */
function group(name: string, pids: string): NonNullable<Lease['group']> {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cgroup.procs'), pids);
  return { cgroup: `/${name}`, folder, inode: `${statSync(folder, { bigint: true }).ino}` };
}

function put(one: Lease): Lease {
  mkdirSync(store.folder, { recursive: true });
  writeLease(store, one);
  return one;
}

const files = (): string[] => readdirSync(store.folder).filter((name) => name !== 'lock');
const held = (): string[] => readLeases(store).held.map(({ cpus }) => printIndexSet(cpus));

describe('leases of cores', () => {
  it('are taken until none is free, and given back', async () => {
    const taken = [];
    for (let at = 0; at < 4; at += 1) taken.push(await takeLease(store, ground, ONE, 'make'));
    expect(taken.map(({ cpus }) => printIndexSet(cpus))).toEqual(['6-7', '4-5', '2-3', '0-1']);
    await expect(takeLease(store, ground, ONE, 'make')).rejects.toMatchObject({ code: 'E_REFUSED' });
    taken[1]?.release();
    expect(printIndexSet((await takeLease(store, ground, ONE, 'make')).cpus)).toBe('4-5');
  });

  it('never share a core, whoever asks at the same time', async () => {
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => takeLease(store, ground, ONE, 'make')));
    const got = all.flatMap((one) => (one.status === 'fulfilled' ? [printIndexSet(one.value.cpus)] : []));
    expect(got.sort()).toEqual(['0-1', '2-3', '4-5', '6-7']);
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(4);
  });

  it('spare what was reserved by the time that nobody else can take one', async () => {
    let isLocked = false;
    const readReservations = () => {
      isLocked = readHolder(join(store.folder, 'lock'), HOST) !== undefined;
      return [{ name: 'db.slice', cpus: parseIndexSet('6-7', 'cpus') }];
    };
    const { cpus } = await takeLease(store, { ...ground, readReservations }, ONE, 'make');
    expect([isLocked, printIndexSet(cpus)]).toEqual([true, '4-5']);
  });

  it('say where the job is once that is known', async () => {
    const taken = await takeLease(store, ground, ONE, 'make');
    const { cgroup, folder, inode } = group('job.slice', '1\n');
    taken.bind({ unit: 'job.scope', group: { cgroup, folder } });
    expect(readLeases(store).held[0]).toMatchObject({ unit: 'job.scope', group: { cgroup, folder, inode } });
  });

  it('refuse a job whose group has gone before they were written down', async () => {
    const taken = await takeLease(store, ground, ONE, 'make');
    const gone = { cgroup: '/gone', folder: join(root, 'gone') };
    expect(() => taken.bind({ unit: 'gone.scope', group: gone })).toThrow('went before its lease was written down');
  });
});

describe('a lease whose maker was killed', () => {
  it('holds as long as a process is in the job', () => {
    put(lease({ group: group('job.slice', '1\n'), unit: 'job.scope' }, DEAD));
    expect(held()).toEqual(['6-7']);
  });

  it.each([
    ['the job is over', () => ({ group: group('job.slice', ''), unit: 'job.scope' })],
    ['its group has gone', () => ({ group: { cgroup: '/x', folder: '/nowhere', inode: '5' }, unit: 'x.scope' })],
    ['another group has its name', () => ({ group: { ...group('job.slice', '1\n'), inode: '5' }, unit: 'x.scope' })],
    ['it had no job yet', () => ({})],
    ['its unit was never made', () => ({ unit: 'slicectl-never-made.service' })],
  ])('is free when %s, and the next who takes one removes it', async (_, more) => {
    const dead = put(lease(more(), DEAD));
    expect(held()).toEqual([]);
    const taken = await takeLease(store, ground, ONE, 'make');
    expect(printIndexSet(taken.cpus)).toBe('6-7');
    expect(files()).not.toContain(`${dead.id}.json`);
  });

  it('is removed by a sweep, which leaves what holds', async () => {
    put(lease({}, DEAD));
    put(lease({ id: jobId(self, 901) }));
    expect(await sweepLeases(store)).toHaveLength(1);
    expect(files()).toEqual([`${jobId(self, 901)}.json`]);
  });

  it('of an earlier boot is free', () => {
    put(lease({ maker: { ...self, bootId: 'another' } }));
    expect(held()).toEqual([]);
  });

  it('in another pid namespace cannot be judged, and holds', () => {
    put(lease({}, { ...DEAD, pidNamespace: 1n }));
    expect(held()).toEqual(['6-7']);
  });
});

describe('the folder of leases', () => {
  it('may have files of others, which are left alone', async () => {
    put(lease({}, DEAD));
    writeFileSync(join(store.folder, 'notes.json'), 'mine');
    await takeLease(store, ground, ONE, 'make');
    expect(files()).toContain('notes.json');
  });

  it.each([
    ['half a lease', '{"version":1'],
    ['a lease without a maker', '{"version":1,"cpus":"1","command":"x","since":"y"}'],
    ['one of a later form', '{"version":2}'],
    ['CPUs that are none', leaseText(lease()).replace('"6-7"', '"six"')],
  ])('with %s gives no cores away', async (_, text) => {
    put(lease({ id: jobId(self, 902) }));
    writeFileSync(join(store.folder, `${jobId(DEAD, 1)}.json`), text);
    await expect(takeLease(store, ground, ONE, 'make')).rejects.toMatchObject({ code: 'E_SYNTAX' });
    expect(held()).toEqual(['6-7']);
  });

  it('is read without following a link', async () => {
    put(lease());
    writeFileSync(join(root, 'elsewhere'), leaseText(lease()));
    symlinkSync(join(root, 'elsewhere'), join(store.folder, `${jobId(DEAD, 1)}.json`));
    await expect(takeLease(store, ground, ONE, 'make')).rejects.toThrow('is not a regular file');
  });

  it('is refused where others can write it, or where it is a link', async () => {
    mkdirSync(store.folder, { recursive: true });
    chmodSync(store.folder, 0o777);
    await expect(takeLease(store, ground, ONE, 'make')).rejects.toMatchObject({ code: 'E_FILE' });
    rmSync(store.folder, { recursive: true });
    symlinkSync(root, store.folder);
    await expect(takeLease(store, ground, ONE, 'make')).rejects.toMatchObject({ code: 'E_FILE' });
  });

  it("of a user is the user's own, and root's leases count in it", () => {
    const mine = openLeases({ uid: 1000, env: { XDG_RUNTIME_DIR: `${root}/user` }, cwd: '/', parentPid: 1 }, HOST);
    expect(mine).toMatchObject({
      folder: `${root}/user/slicectl/leases`,
      above: '/run/slicectl/leases',
      world: 'user',
    });
    put(lease());
    expect(readLeases({ ...mine, above: store.folder }).held).toHaveLength(1);
    expect(() => openLeases({ uid: 1000, env: {}, cwd: '/', parentPid: 1 }, HOST)).toThrow('XDG_RUNTIME_DIR');
  });
});

describe('the file of a lease', () => {
  it('reads as it was written', () => {
    const full = lease({
      unit: 'a.scope',
      reservation: 'db.slice',
      group: { cgroup: '/a', folder: '/f/a', inode: '7' },
    });
    for (const one of [lease(), full]) expect(parseLease(leaseText(one), one.id, 'path')).toEqual(one);
  });
});
