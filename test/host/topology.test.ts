import { describe, expect, it } from 'vitest';
import { printIndexSet } from '../../src/core/cpuset.ts';
import { HOST } from '../../src/host/paths.ts';
import { coresOf, cpusOf, readTopology, splitCores, type Topology } from '../../src/host/topology.ts';
import { refusal } from '../core/support.ts';
import {
  BOARD_4,
  CCX_32,
  FakeHost,
  type FakeMachine,
  GUEST_8,
  HYBRID_16,
  SERVER_128,
  SINGLE,
  SPARSE,
  topologyOf,
} from '../cpus/fake-host.ts';

function read(machine: FakeMachine): Topology {
  using host = new FakeHost();
  return readTopology(host.machine(machine).paths);
}

const lists = (groups: readonly { readonly cpus: readonly number[] }[]): string[] =>
  groups.map(({ cpus }) => printIndexSet(cpus));

describe('the topology', () => {
  it('of 2 nodes with 2 cores and 2 threads has cores by their siblings', () => {
    const { cores, nodes, caches, bootCpu } = read(GUEST_8);
    expect(lists(cores)).toEqual(['0-1', '2-3', '4-5', '6-7']);
    expect(cores.map((core) => [core.package, core.die, core.node])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [1, 0, 1],
      [1, 0, 1],
    ]);
    expect(lists(nodes)).toEqual(['0-3', '4-7']);
    expect(nodes[1]?.memoryBytes).toBe(1n << 30n);
    expect(caches).toEqual([]);
    expect(bootCpu).toBe(0);
  });

  it('of an AMD package has an L3 for each complex', () => {
    const { cores, caches } = read(CCX_32);
    expect(lists(caches)).toEqual(['0-3,16-19', '4-7,20-23', '8-11,24-27', '12-15,28-31']);
    expect(caches[0]).toMatchObject({ level: 3, bytes: 32n << 20n });
    expect(cores[5]).toMatchObject({ cpus: [5, 21], cache: 1 });
    expect(cores).toHaveLength(16);
  });

  it('of a hybrid package tells performance cores from efficiency cores, and their clusters', () => {
    const { cores } = read(HYBRID_16);
    expect(cores.map(({ kind }) => kind)).toEqual([...Array(4).fill('performance'), ...Array(8).fill('efficiency')]);
    expect(cores.map(({ cluster }) => cluster)).toEqual([0, 1, 2, 3, 8, 8, 8, 8, 16, 16, 16, 16]);
  });

  it('of a board takes the kind from cpu_capacity, and knows no package, cluster, node or cache', () => {
    const { cores, nodes } = read(BOARD_4);
    expect(cores.map(({ kind }) => kind)).toEqual(['efficiency', 'efficiency', 'performance', 'performance']);
    expect(cores[0]).toMatchObject({ package: undefined, cluster: undefined, node: undefined, cache: undefined });
    expect(nodes).toEqual([]);
  });

  it('has no kinds where all cores have the same capacity', () => {
    const capacities = new Map(
      GUEST_8.packages.flatMap(({ cores }) => cores.flat().map((cpu) => [cpu, 1024] as const)),
    );
    expect(read({ ...GUEST_8, capacities }).cores.map(({ kind }) => kind)).toEqual(Array(4).fill(undefined));
  });

  it('of a 128-CPU server has siblings far apart', () => {
    const { cores, caches } = read(SERVER_128);
    expect(cores).toHaveLength(64);
    expect(cores[63]).toMatchObject({ cpus: [63, 127], package: 1, node: 1, cache: 1 });
    expect(lists(caches)).toEqual(['0-31,64-95', '32-63,96-127']);
  });

  it('of CPU numbers up to 8191 is whole', () => {
    const { cores, caches, online, possible } = read(SPARSE);
    expect(printIndexSet(online)).toBe('0,64,4095,8191');
    expect(possible).toHaveLength(8192);
    expect(cores[1]).toMatchObject({ cpus: [4095, 8191], node: 1, cache: 1 });
    expect(lists(caches)).toEqual(['0,64', '4095,8191']);
  });

  it('of one CPU has one core', () => {
    expect(lists(read(SINGLE).cores)).toEqual(['0']);
  });

  it('leaves offline CPUs out of cores, nodes and caches, and lists them', () => {
    const { cores, nodes, caches, offline, online } = read({ ...CCX_32, offline: [3, 20, 21] });
    expect(offline).toEqual([3, 20, 21]);
    expect(printIndexSet(online)).toBe('0-2,4-19,22-31');
    expect(lists(cores).slice(0, 6)).toEqual(['0,16', '1,17', '2,18', '4', '5', '6,22']);
    expect(cores.map(({ cpus }) => printIndexSet(cpus))).toContain('19');
    expect(lists(caches)[1]).toBe('4-7,22-23');
    expect(lists(nodes)).toEqual(['0-2,4-19,22-31']);
  });

  it('has the first CPU that is online as boot CPU where CPU 0 is offline', () => {
    expect(read({ ...GUEST_8, offline: [0] }).bootCpu).toBe(1);
  });

  it('keeps what is possible apart from what is present', () => {
    const { possible, present, offline } = read({ ...SINGLE, possible: [0, 1, 2, 3] });
    expect([possible.length, present, offline]).toEqual([4, [0], []]);
  });

  it('keeps nodes of memory alone, and drops nodes with neither memory nor CPUs', () => {
    const nodes = [...(GUEST_8.nodes ?? []), { id: 10, cpus: [], memoryKib: 4096 }, { id: 3, cpus: [], memoryKib: 0 }];
    const found = read({ ...GUEST_8, nodes });
    expect(found.nodes.map(({ id, cpus }) => [id, cpus.length])).toEqual([
      [0, 4],
      [1, 4],
      [10, 0],
    ]);
  });

  it.each([
    ['  (null)\n', []],
    ['\n', []],
    ['2-3\n', [2, 3]],
    [undefined, []],
  ])('takes %j of nohz_full as %j', (nohzFull, expected) => {
    expect(read({ ...GUEST_8, isolated: [3], ...(nohzFull !== undefined && { nohzFull }) })).toMatchObject({
      nohzFull: expected,
      isolated: [3],
    });
  });

  it('reads siblings by their old name', () => {
    using host = new FakeHost();
    host.write({
      'sys/devices/system/cpu/possible': '0-1\n',
      'sys/devices/system/cpu/online': '0-1\n',
      'sys/devices/system/cpu/cpu0/topology/thread_siblings_list': '0-1\n',
    });
    expect(lists(readTopology(host.paths).cores)).toEqual(['0-1']);
  });

  it('says which file is missing where there is no sysfs', () => {
    using host = new FakeHost();
    expect(refusal(() => readTopology(host.paths))).toMatchObject({ code: 'E_FILE', hint: 'mount sysfs' });
  });

  it('of this machine has every CPU that is online in one core', () => {
    const topology = readTopology(HOST);
    expect(cpusOf(topology.cores)).toEqual(topology.online);
    expect(topology.cores.flatMap(({ cpus }) => cpus)).toHaveLength(topology.online.length);
  });
});

describe('the topology that tests make without files', () => {
  it.each([
    ['GUEST_8', GUEST_8],
    ['CCX_32', { ...CCX_32, offline: [3, 20, 21] }],
    ['HYBRID_16', HYBRID_16],
    ['BOARD_4', BOARD_4],
    ['SINGLE', SINGLE],
    ['SPARSE', SPARSE],
  ])('is what is read of %s', (_, machine) => {
    const { cores, ...facts } = topologyOf(machine);
    const { cores: readCores, ...readFacts } = read(machine);
    expect(readFacts).toEqual(facts);
    expect(readCores).toEqual(cores);
  });
});

describe('cores of a set', () => {
  const topology = read(GUEST_8);

  it('are those that it touches', () => {
    expect(lists(coresOf(topology, [1, 2, 3]))).toEqual(['0-1', '2-3']);
  });

  it('are split where a sibling is not in it', () => {
    expect(lists(splitCores(topology, [1, 2, 3, 6]))).toEqual(['0-1', '6-7']);
  });
});
