import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indicesTo, intersection, isSubset, parseIndexSet, printIndexSet, union } from '../../src/core/cpuset.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { type Choice, type PickRequest, pick } from '../../src/cpus/pick.ts';
import { type Ground, systemCpus } from '../../src/cpus/roles.ts';
import { coresOf } from '../../src/host/topology.ts';
import { refusal } from '../core/support.ts';
import {
  BOARD_4,
  CCX_32,
  type FakeMachine,
  GUEST_8,
  HUGE_8192,
  HYBRID_16,
  SERVER_128,
  SINGLE,
  SPARSE,
  topologyOf,
} from './fake-host.ts';

const set = (text: string) => parseIndexSet(text, 'cpus');

function ground(machine: FakeMachine, more: Partial<Omit<Ground, 'topology'>> = {}): Ground {
  return { topology: topologyOf(machine), reservations: [], interrupts: new Map(), ...more };
}

function roles(
  machine: FakeMachine,
  request: PickRequest,
  more: Partial<Ground> = {},
): [payload: string, system: string] {
  const { payload, system } = pick(ground(machine, more), request);
  return [printIndexSet(payload), printIndexSet(system)];
}

/** A request whose node may be undefined. */
type Asked = Omit<PickRequest, 'node'> & { readonly node?: number | undefined };

const texts = ({ notes }: Choice): string[] => notes.map(({ text }) => text);

describe('--cores', () => {
  it.each<[string, FakeMachine, PickRequest, string, string]>([
    ['a core on the node without the boot CPU', GUEST_8, { cores: 1 }, '6-7', '0-5'],
    ['a whole node', GUEST_8, { cores: 2 }, '4-7', '0-3'],
    ['all but the boot core, over both nodes', GUEST_8, { cores: 3 }, '2-7', '0-1'],
    ['the node that was named', GUEST_8, { cores: 1, node: 0 }, '2-3', '0-1,4-7'],
    ['the other node where one is avoided', GUEST_8, { cores: 1, avoid: [4, 7] }, '2-3', '0-1,4-7'],
    ['one complex', CCX_32, { cores: 4 }, '12-15,28-31', '0-11,16-27'],
    [
      'one complex of which one core is to be avoided no more',
      CCX_32,
      { cores: 4, avoid: [12] },
      '8-11,24-27',
      '0-7,12-23,28-31',
    ],
    ['the complex that fits best', CCX_32, { cores: 3, avoid: [12] }, '13-15,29-31', '0-12,16-28'],
    ['few complexes where one is not enough', CCX_32, { cores: 8 }, '8-15,24-31', '0-7,16-23'],
    ['performance cores before others', HYBRID_16, { cores: 3 }, '2-7', '0-1,8-15'],
    ['others when those are used up', HYBRID_16, { cores: 4 }, '2-7,15', '0-1,8-14'],
    ['the strong cores of a board', BOARD_4, { cores: 2 }, '2-3', '0-1'],
    ['one package of a server', SERVER_128, { cores: 32 }, '32-63,96-127', '0-31,64-95'],
    ['numbers up to 8191', SPARSE, { cores: 1 }, '4095,8191', '0-4094,4096-8190'],
    ['a cache of a huge machine', HUGE_8192, { cores: 8 }, '8176-8191', '0-8175'],
  ])('takes %s', (_, machine, request, payload, system) => {
    expect(roles(machine, request)).toEqual([payload, system]);
  });

  it('takes cores with many interrupts last, and says so', () => {
    const interrupts = new Map([
      [6, 900_000],
      [0, 5000],
    ]);
    expect(roles(GUEST_8, { cores: 1 }, { interrupts })).toEqual(['4-5', '0-3,6-7']);
    expect(texts(pick(ground(GUEST_8, { interrupts }), { cores: 2 }))).toEqual([
      'CPUs 6 take more device interrupts than others',
    ]);
  });

  it('takes nothing that is reserved or isolated, and leaves neither to the system', () => {
    const reservations = [{ name: 'db.slice', cpus: set('6-7') }];
    expect(roles(GUEST_8, { cores: 1 }, { reservations })).toEqual(['4-5', '0-3']);
    expect(roles({ ...GUEST_8, isolated: set('4-7') }, { cores: 1 })).toEqual(['2-3', '0-1']);
  });

  it('gives CPUs that are offline or not there yet to the system, which they join when they come', () => {
    expect(roles({ ...GUEST_8, offline: [5], possible: set('0-15') }, { cores: 1 })).toEqual(['6-7', '0-5,8-15']);
  });

  it('gives its reasons', () => {
    const reservations = [{ name: 'db.slice', cpus: set('4,20') }];
    expect(pick(ground(CCX_32, { reservations }), { cores: 2, avoid: [15] }).reasons).toEqual([
      '2 whole cores with all threads: 13,29 and 14,30',
      'below one L3 cache, of CPUs 12-15,28-31',
      'not 0,16: the core of the boot CPU, which keeps time and takes legacy interrupts',
      'not 15: to be avoided',
      'not 4,20: reserved for db.slice',
    ]);
    expect(pick(ground(GUEST_8), { cores: 2 })).toMatchObject({
      nodes: [1],
      reasons: [
        '2 whole cores with all threads: 4-5 and 6-7',
        'on NUMA node 1',
        'not 0-1: the core of the boot CPU, which keeps time and takes legacy interrupts',
      ],
      notes: [],
    });
  });

  it.each<[string, FakeMachine, PickRequest, string]>([
    ['nodes', GUEST_8, { cores: 3 }, 'the payload CPUs are on NUMA nodes 0-1'],
    ['caches', CCX_32, { cores: 8 }, 'the payload CPUs have 2 last-level caches among them'],
    ['kinds', HYBRID_16, { cores: 4 }, 'the payload has performance cores and efficiency cores'],
  ])('warns of several %s', (_, machine, request, text) => {
    expect(texts(pick(ground(machine), request))).toEqual([text]);
  });

  it('warns of siblings that are offline, but not where they are off for good', () => {
    const machine = { ...GUEST_8, offline: [1, 3, 5, 7] };
    expect(texts(pick(ground(machine), { cores: 1 }))).toEqual([
      'CPUs 1,3,5,7 are offline, and whose siblings they are shows only when they are back',
    ]);
    expect(texts(pick(ground({ ...machine, smtControl: 'forceoff' }), { cores: 1 }))).toEqual([]);
  });

  it.each<[string, FakeMachine, PickRequest, string]>([
    [
      'more cores than there are',
      GUEST_8,
      { cores: 4 },
      '4 cores were asked for and 3 are free (payload CPUs 2-7, system CPUs 0-1)',
    ],
    [
      'the one core',
      SINGLE,
      { cores: 1 },
      'one core was asked for and none is free (payload CPUs none, system CPUs 0)',
    ],
    [
      'a node with too few',
      GUEST_8,
      { cores: 2, node: 0 },
      '2 cores were asked for and one is free on NUMA node 0 (payload CPUs 2-3, system CPUs 0-1,4-7)',
    ],
    [
      'a cache with too few',
      CCX_32,
      { cores: 5, sameCache: true },
      'no last-level cache has 5 free cores: the most are 4 (payload CPUs 12-15,28-31, system CPUs 0-11,16-27)',
    ],
    [
      'a cache of nobody knows',
      GUEST_8,
      { cores: 1, sameCache: true },
      'this machine does not say which CPUs share a cache (payload CPUs none, system CPUs 0-7)',
    ],
  ])('refuses %s with both sets', (_, machine, request, message) => {
    expect(refusal(() => pick(ground(machine), request))).toMatchObject({ code: 'E_REFUSED', message });
  });
});

describe('--cpus', () => {
  it('takes what is named', () => {
    const choice = pick(ground(GUEST_8), { cpus: set('2-3,6-7'), wholeCores: true });
    expect(choice).toMatchObject({
      payload: [2, 3, 6, 7],
      system: [0, 1, 4, 5],
      nodes: [0, 1],
      reasons: ['they were named', 'they are 2 whole cores'],
    });
  });

  it.each<[string, FakeMachine, PickRequest, string, string]>([
    [
      'all of them',
      GUEST_8,
      { cpus: set('0-7') },
      'nothing would be left for the system (payload CPUs 0-7, system CPUs none)',
      'leave it at least one core',
    ],
    [
      'the only one',
      SINGLE,
      { cpus: [0] },
      'nothing would be left for the system (payload CPUs 0, system CPUs none)',
      'leave it at least one core',
    ],
    [
      'an absent one',
      GUEST_8,
      { cpus: set('7-9') },
      'this machine has no CPU 8-9 (payload CPUs 7-9, system CPUs 0-6)',
      'it has 0-7',
    ],
    [
      'one that may come later',
      { ...GUEST_8, possible: set('0-15') },
      { cpus: [8] },
      'this machine has no CPU 8 (payload CPUs 8, system CPUs 0-7)',
      'it has 0-7',
    ],
    [
      'an offline one',
      { ...GUEST_8, offline: [3] },
      { cpus: set('2-3') },
      'CPU 3 is offline (payload CPUs 2-3, system CPUs 0-1,4-7)',
      'bring it online',
    ],
    [
      'one to be avoided',
      GUEST_8,
      { cpus: set('4-7'), avoid: [5] },
      'CPU 5 is to be avoided (payload CPUs 4-7, system CPUs 0-3)',
      'name other CPUs',
    ],
    [
      'a part of isolcpus',
      { ...GUEST_8, isolated: set('6-7') },
      { cpus: set('4-7') },
      'CPU 6-7 is isolated by isolcpus= and the others are not (payload CPUs 4-7, system CPUs 0-3)',
      'take CPUs of one kind (isolated: 6-7)',
    ],
    [
      'a split core',
      GUEST_8,
      { cpus: set('3-5'), wholeCores: true },
      'the set splits core 2-3 (payload CPUs 3-5, system CPUs 0-2,6-7)',
      'add CPU 2',
    ],
    [
      'another node',
      GUEST_8,
      { cpus: set('2-5'), node: 1 },
      'CPU 2-3 is not on NUMA node 1 (payload CPUs 2-5, system CPUs 0-1,6-7)',
      'that node has 4-7',
    ],
    [
      'two caches',
      CCX_32,
      { cpus: set('4,8'), sameCache: true },
      'the CPUs have no last-level cache in common (payload CPUs 4,8, system CPUs 0-3,5-7,9-31)',
      'leave out --llc',
    ],
    [
      'a cache of nobody knows',
      GUEST_8,
      { cpus: [4], sameCache: true },
      'this machine does not say which CPUs share a cache (payload CPUs 4, system CPUs 0-3,5-7)',
      'leave out --llc',
    ],
  ])('refuses %s with both sets', (_, machine, request, message, hint) => {
    const error = refusal(() => pick(ground(machine), request));
    expect(error).toMatchObject({ code: 'E_REFUSED', message });
    expect(error.hint).toContain(hint);
  });

  it('refuses what is reserved, and what leaves only reserved and isolated CPUs to the system', () => {
    const reservations = [{ name: 'db.slice', cpus: set('0-3') }];
    const taken = refusal(() => pick(ground(GUEST_8, { reservations }), { cpus: set('3-4') }));
    expect(taken.message).toBe('CPU 3 is reserved for db.slice (payload CPUs 3-4, system CPUs 5-7)');
    expect(taken.hint).toContain('slicectl cpus release db.slice');
    const rest = refusal(() => pick(ground(GUEST_8, { reservations }), { cpus: set('4-7') }));
    expect(rest.message).toBe('nothing would be left for the system (payload CPUs 4-7, system CPUs none)');
  });

  it('refuses to leave the system only CPUs that are offline', () => {
    const machine = { ...GUEST_8, offline: [0, 1] };
    expect(refusal(() => pick(ground(machine), { cpus: set('2-7') })).message).toContain('nothing would be left');
  });

  it.each<[string, FakeMachine, PickRequest, string]>([
    [
      'a split core',
      GUEST_8,
      { cpus: set('3') },
      'the core of CPUs 2-3 is split: its threads share their unit of execution',
    ],
    [
      'the boot CPU',
      GUEST_8,
      { cpus: set('0-1') },
      'CPU 0 is the boot CPU: it keeps time and takes legacy interrupts, whatever is reserved',
    ],
    [
      'isolcpus alone',
      { ...GUEST_8, isolated: set('4-7') },
      { cpus: set('4-5') },
      'isolcpus= switched balancing off on the payload CPUs: threads stay on the first one unless they are pinned',
    ],
  ])('warns of %s', (_, machine, request, text) => {
    expect(texts(pick(ground(machine), request))).toEqual([text]);
  });
});

it.each<[string, PickRequest, string]>([
  ['neither', {}, 'the payload CPUs are not said'],
  ['both', { cpus: [4], cores: 1 }, 'the payload CPUs are said twice, by --cpus and by --cores'],
  ['no CPU', { cpus: [] }, '--cpus names no CPU'],
  ['no core', { cores: 0 }, '--cores 0 is not a number of cores'],
  ['half a core', { cores: 1.5 }, '--cores 1.5 is not a number of cores'],
  ['a node that is not there', { cores: 1, node: 2 }, '--numa-node 2: there is no such node with CPUs'],
])('%s is no request', (_, request, message) => {
  expect(refusal(() => pick(ground(GUEST_8), request))).toMatchObject({ code: 'E_INPUT', message });
});

describe('whatever machine and request', () => {
  const machines = fc
    .record({
      base: fc.constantFrom<FakeMachine>(GUEST_8, CCX_32, HYBRID_16, SERVER_128, BOARD_4, SINGLE, SPARSE),
      offline: fc.array(fc.nat(127), { maxLength: 4 }),
      isolated: fc.array(fc.nat(31), { maxLength: 3 }),
    })
    .map(({ base, offline, isolated }) => {
      const present = union(...base.packages.flatMap(({ cores }) => cores));
      const off = intersection(union(offline), present.slice(1));
      return { ...base, offline: off, isolated: intersection(union(isolated), present) };
    });
  const grounds = fc
    .record({
      machine: machines,
      reserved: fc.array(fc.nat(15), { maxLength: 4 }),
      loads: fc.array(fc.tuple(fc.nat(31), fc.nat(1_000_000)), { maxLength: 8 }),
    })
    .map(({ machine, reserved, loads }) =>
      ground(machine, { reservations: [{ name: 'a.slice', cpus: union(reserved) }], interrupts: new Map(loads) }),
    );
  const options = {
    node: fc.option(fc.nat(1), { nil: undefined }),
    sameCache: fc.boolean(),
    avoid: fc.array(fc.nat(31), { maxLength: 3 }).map((cpus) => union(cpus)),
  };
  const byCores = fc.record({ cores: fc.integer({ min: 1, max: 40 }), ...options });
  const byCpus = fc.record({
    cpus: fc.array(fc.nat(40), { minLength: 1, maxLength: 12 }).map((cpus) => union(cpus)),
    wholeCores: fc.boolean(),
    ...options,
  });

  /** The choice, or undefined where it was refused. */
  function tried(on: Ground, { node, ...rest }: Asked): Choice | SlicectlError {
    try {
      return pick(on, { ...rest, ...(node !== undefined && { node }) });
    } catch (error) {
      if (error instanceof SlicectlError) return error;
      throw error;
    }
  }

  it('payload and system are disjoint, the system has a CPU online, and nobody else loses one', () => {
    fc.assert(
      fc.property(grounds, fc.oneof(byCores, byCpus), (on, request) => {
        const choice = tried(on, request);
        if (choice instanceof SlicectlError) return;
        const { payload, system } = choice;
        const { online, possible } = on.topology;
        expect(intersection(payload, system)).toEqual([]);
        expect(intersection(system, online)).not.toEqual([]);
        expect(isSubset(payload, online)).toBe(true);
        expect(isSubset(union(payload, system), possible)).toBe(true);
        expect(intersection(union(payload, system), on.reservations[0]?.cpus ?? [])).toEqual([]);
        expect(intersection(payload, request.avoid)).toEqual([]);
        expect(system).toEqual(systemCpus(on, payload));
      }),
      { numRuns: 500 },
    );
  });

  it('--cores gives as many whole cores as asked, on the node and below one cache where that was asked', () => {
    fc.assert(
      fc.property(grounds, byCores, (on, request) => {
        const choice = tried(on, request);
        if (choice instanceof SlicectlError) return;
        const cores = coresOf(on.topology, choice.payload);
        expect(cores).toHaveLength(request.cores);
        expect(union(...cores.map(({ cpus }) => cpus))).toEqual(choice.payload);
        expect(choice.payload).not.toContain(on.topology.bootCpu);
        if (request.node !== undefined) expect(choice.nodes).toEqual([request.node]);
        if (request.sameCache) expect(on.topology.caches.some(({ cpus }) => isSubset(choice.payload, cpus))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('--cores stays below one cache, or on one node, wherever one has enough free cores', () => {
    fc.assert(
      fc.property(grounds, byCores, (on, { cores, avoid }) => {
        const choice = tried(on, { cores, avoid });
        if (choice instanceof SlicectlError) return;
        const taken = union(avoid, on.topology.isolated, on.reservations[0]?.cpus ?? []);
        const boot = coresOf(on.topology, [on.topology.bootCpu])[0];
        const free = on.topology.cores.filter((c) => c !== boot && intersection(c.cpus, taken).length === 0);
        const used = coresOf(on.topology, choice.payload);
        for (const place of ['cache', 'node'] as const) {
          const has = indicesTo(20).some((at) => free.filter((core) => core[place] === at).length >= cores);
          if (has) expect(new Set(used.map((core) => core[place])).size).toBe(1);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('the same question has the same answer, and a refusal names both sets', () => {
    fc.assert(
      fc.property(grounds, fc.oneof(byCores, byCpus), (on, request) => {
        const [first, second] = [tried(on, request), tried(on, request)];
        expect(second).toEqual(first);
        if (!(first instanceof SlicectlError) || first.code === 'E_INPUT') return;
        expect(first.message).toMatch(/ \(payload CPUs (?:none|[\d,-]+), system CPUs (?:none|[\d,-]+)\)$/);
        expect(first.hint).toBeTruthy();
      }),
      { numRuns: 500 },
    );
  });
});
