import { describe, expect, it } from 'vitest';
import { staysOpened } from '../../src/cpus/isolated-steps.ts';
import type { CpuFacts } from '../../src/cpus/model.ts';
import { lostAffinities, lostSets, movedOffIsolated, threadPools } from '../../src/cpus/squeezed.ts';
import { factsOf, groupOf, recordOf, set, taskOf } from './ground.ts';

const DB = recordOf('db.slice', '6-7');
const VM = recordOf('db.slice', '6-7', { keep: ['vm.slice'] });

const tree = (...groups: readonly ReturnType<typeof groupOf>[]): CpuFacts['groups'] => ({
  version: 2,
  root: set('0-7'),
  isolated: [],
  groups,
});

/** As many threads of one service or group. */
const threads = (count: number, cgroup: string, allowed = '0-7') =>
  Array.from({ length: count }, () => taskOf('work', cgroup, { allowed: set(allowed) }));

const itemsOf = (notes: ReturnType<typeof lostSets>): readonly string[] => notes.flatMap(({ items = [] }) => items);

describe('affinities that a kernel before 6.2 forgets', () => {
  const tasks = [
    ...threads(2, '/system.slice/pinned.service', '0-1'),
    ...threads(1, '/vm.slice/qemu.scope', '5'),
    ...threads(3, '/system.slice/plain.service'),
  ];
  const groups = tree(groupOf('/system.slice', ''), groupOf('/vm.slice', ''));
  const facts = factsOf({ kernel: [6, 1], tasks, groups });

  it('are told, also within the system CPUs, with who loses them and that nothing gives them back', () => {
    const [note] = lostAffinities(facts, [VM]);
    expect(note).toMatchObject({ severity: 'impact', items: ['pinned.service: 2 threads on 0-1'] });
    expect(note?.text).toMatch(/^Linux 6\.1 .*neither slicectl undo nor slicectl cpus release/);
  });

  it.each<[string, CpuFacts['kernel'], number]>([
    ['5.15', [5, 15], 1],
    ['6.1', [6, 1], 1],
    ['6.2', [6, 2], 0],
    ['7.0', [7, 0], 0],
  ])('are none of Linux %s where it keeps them', (_, kernel, count) => {
    expect(lostAffinities({ ...facts, kernel }, [DB])).toHaveLength(count);
  });

  it('are those of kept slices too where the controller comes to the groups with the reservation', () => {
    const bare = tree(
      groupOf('/system.slice', '', { asked: undefined }),
      groupOf('/vm.slice', '', { asked: undefined }),
    );
    expect(itemsOf(lostAffinities({ ...facts, groups: bare }, [VM]))).toEqual([
      'pinned.service: 2 threads on 0-1',
      'qemu.scope: 1 thread on 5',
    ]);
  });

  it('are none of groups whose CPUs stay as they are', () => {
    const held = tree(groupOf('/system.slice', '0-5'), groupOf('/vm.slice', ''));
    expect(lostAffinities({ ...facts, groups: held }, [VM])).toEqual([]);
    expect(itemsOf(lostAffinities({ ...facts, groups: held }, []))).toEqual(['pinned.service: 2 threads on 0-1']);
  });
});

describe('CPUs that groups of others ask for', () => {
  const id = '0123456789abcdef'.repeat(4);

  it('are named where they become payload CPUs, with what is left to each', () => {
    const groups = tree(
      groupOf('/docker', ''),
      groupOf(`/docker/${id}`, '7'),
      groupOf('/docker/part', '5-6'),
      groupOf('/docker/within', '1'),
      groupOf('/machine.slice', ''),
      groupOf('/machine.slice/vm.scope/vcpu0', '6', { unit: undefined }),
      groupOf('/db.slice', ''),
      groupOf('/db.slice/inside', '7'),
    );
    const [note] = lostSets(factsOf({ groups }), [DB]);
    expect(note).toMatchObject({
      severity: 'impact',
      items: ['/docker/0123456789ab: 7 → 0-5', '/docker/part: 5-6 → 5', '/machine.slice/vm.scope/vcpu0: 6 → 0-5'],
    });
  });

  it("are nobody else's matter in slices that are kept, nor those of units, which are refused", () => {
    const groups = tree(
      groupOf('/vm.slice', ''),
      groupOf('/vm.slice/vcpu0', '6'),
      groupOf('/system.slice', ''),
      groupOf('/system.slice/rt.service', '7', { unit: 'rt.service' }),
    );
    expect(lostSets(factsOf({ groups }), [VM])).toEqual([]);
  });
});

describe('services with a thread for each CPU', () => {
  const groups = tree(groupOf('/system.slice', ''), groupOf('/db.slice', ''), groupOf('/vm.slice', ''));

  it('are named with their threads, most first, in the system as in the payload slice', () => {
    const tasks = [
      ...threads(8, '/system.slice/java.service'),
      ...threads(7, '/system.slice/small.service'),
      ...threads(20, '/system.slice/nginx.service/sub'),
      ...threads(9, '/db.slice/pg.service'),
      ...threads(9, '/vm.slice/kept.service'),
      ...threads(30, '/user.slice/user-1000.slice/user@1000.service/app.slice/ide.service'),
      taskOf('kworker', '/', { kind: 'fixed' }),
    ];
    const [note] = threadPools(factsOf({ tasks, groups }), [VM]);
    expect(note).toMatchObject({
      severity: 'warning',
      items: [
        'nginx.service: 20 threads, 8 → 6 CPUs',
        'pg.service: 9 threads, 8 → 2 CPUs',
        'java.service: 8 threads, 8 → 6 CPUs',
      ],
    });
  });

  it('are ten at most', () => {
    const tasks = Array.from({ length: 14 }, (_, at) => threads(30 - at, `/system.slice/s${at}.service`)).flat();
    const items = itemsOf(threadPools(factsOf({ tasks, groups }), [DB]));
    expect(items).toHaveLength(11);
    expect([items[0], items[10]]).toEqual(['s0.service: 30 threads, 8 → 6 CPUs', 'and 4 more']);
  });

  it('are none where they lose nothing', () => {
    const held = tree(groupOf('/system.slice', '0-5'));
    const tasks = threads(8, '/system.slice/java.service', '0-5');
    expect(threadPools(factsOf({ tasks, groups: held }), [DB])).toEqual([]);
  });
});

describe('CPUs of isolcpus= beside a reservation', () => {
  const topology = { ...factsOf().topology, isolated: set('4-5') };
  const tasks = [
    ...threads(2, '/system.slice/rt.service', '4'),
    ...threads(1, '/vm.slice/qemu.scope', '5'),
    ...threads(1, '/system.slice/plain.service', '0-3'),
  ];
  const facts = factsOf({ topology, tasks });

  it('are lost to who is pinned there, but in slices that are kept', () => {
    expect(movedOffIsolated(facts, [VM])).toMatchObject([
      { severity: 'impact', items: ['rt.service: 2 threads on 4'] },
    ]);
    expect(itemsOf(movedOffIsolated(facts, [recordOf('rt.slice', '4-5')]))).toEqual([
      'rt.service: 2 threads on 4',
      'qemu.scope: 1 thread on 5',
    ]);
  });

  it('stay open to all until the next boot on a kernel that forgets affinities, which is told once', () => {
    const old = { ...facts, kernel: [6, 1] as const };
    expect(staysOpened(old)).toMatchObject([
      { severity: 'impact', text: expect.stringContaining('CPUs 4-5 of isolcpus= until the next boot') },
    ]);
    expect(staysOpened({ ...old, records: [DB] })).toEqual([]);
    expect(staysOpened(facts)).toEqual([]);
    expect(staysOpened({ ...old, topology: factsOf().topology })).toEqual([]);
  });
});
