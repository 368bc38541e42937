import { stripVTControlCharacters, styleText } from 'node:util';
import { describe, expect, it } from 'vitest';
import { pictureText, wrapped } from '../../src/cli/render/cpus-picture.ts';
import { indicesTo } from '../../src/core/cpuset.ts';
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

const plain = { width: 80, paint: (_: string, text: string) => text };

function picture(machine: FakeMachine, payload: readonly number[] = []): string {
  return pictureText(topologyOf(machine), payload, plain);
}

describe('the picture', () => {
  it('marks payload, isolated, nohz_full and boot CPUs, and lists those that are offline', () => {
    const machine = { ...GUEST_8, offline: [3], isolated: [6, 7], nohzFull: '6-7' };
    expect(picture(machine, [5, 6, 7])).toBe(`\
7 CPUs online: 2 packages, 2 NUMA nodes, caches not told,
4 cores with 1 or 2 threads
package 0
  node 0, 1G
    [0b   1   ] [2   ]
package 1
  node 1, 1G
    [4    5*  ] [6*in 7*in]
offline: 3
* payload CPU   i isolcpus   n nohz_full   b boot CPU
`);
  });

  it('has a row for each cache of a package', () => {
    expect(picture(CCX_32, [15, 31])).toBe(`\
32 CPUs online: 1 package, 1 NUMA node, 4 L3 caches, 16 cores with 2 threads
package 0
  node 0, 62.5G
    L3 32M  [0b  16 ] [1   17 ] [2   18 ] [3   19 ]
    L3 32M  [4   20 ] [5   21 ] [6   22 ] [7   23 ]
    L3 32M  [8   24 ] [9   25 ] [10  26 ] [11  27 ]
    L3 32M  [12  28 ] [13  29 ] [14  30 ] [15* 31*]
* payload CPU   b boot CPU
`);
  });

  it('tells performance cores from efficiency cores', () => {
    expect(picture(HYBRID_16)).toBe(`\
16 CPUs online: 1 package, 1 NUMA node, 1 L3 cache,
12 cores with 1 or 2 threads, 4 for performance, 8 for efficiency
package 0
  node 0, 15.3G
    L3 32M  P [0b 1 ] [2  3 ] [4  5 ] [6  7 ]
            E [8 ] [9 ] [10] [11] [12] [13] [14] [15]
b boot CPU
`);
  });

  it('of a board leaves out what its kernel does not tell', () => {
    expect(picture(BOARD_4)).toBe(`\
4 CPUs online: 1 package, no NUMA, caches not told, 4 cores, 2 for performance,
2 for efficiency
package not told
    E [0b] [1 ]
    P [2 ] [3 ]
b boot CPU
`);
  });

  it('counts cores where there are 128 CPUs and more', () => {
    expect(picture(SERVER_128, [4, 5, 68, 69])).toBe(`\
128 CPUs online: 2 packages, 2 NUMA nodes, 2 L3 caches, 64 cores with 2 threads
package 0
  node 0, 251G
    L3 32M  32 cores with 2 threads: 0-31,64-95
      payload CPUs 4-5,68-69
      boot CPU 0
package 1
  node 1, 251G
    L3 32M  32 cores with 2 threads: 32-63,96-127
`);
  });

  it('counts caches too where there are hundreds', () => {
    const rows = picture(HUGE_8192).split('\n');
    expect(rows.filter((row) => row.includes('L3 caches of 32M'))).toHaveLength(8);
    expect(rows[4]).toBe('    64 L3 caches of 32M  512 cores with 2 threads: 0-1023');
  });

  it('shows memory that no CPU is near to', () => {
    const nodes = [...(SINGLE.nodes ?? []), { id: 4, cpus: [], memoryKib: 268_435_456 }];
    expect(picture({ ...SINGLE, nodes })).toContain('node 4, 256G, memory alone\n');
  });

  it.each([
    ['GUEST_8', GUEST_8],
    ['CCX_32', CCX_32],
    ['HYBRID_16', HYBRID_16],
    ['SERVER_128', SERVER_128],
    ['SPARSE', SPARSE],
    [
      '127 cores below one cache',
      { packages: [{ id: 0, cores: indicesTo(126).map((cpu) => [cpu]), caches: [indicesTo(126)] }] },
    ],
    ['a payload of every second CPU', { ...SERVER_128, isolated: indicesTo(127).filter((cpu) => cpu % 2 === 0) }],
  ])('of %s fits in 80 columns, and its colours take none', (_, machine) => {
    const topology = topologyOf(machine);
    const coloured = pictureText(topology, [1, 2], { width: 80, paint: (style, text) => styleText(style, text) });
    expect(stripVTControlCharacters(coloured)).toBe(picture(machine, [1, 2]));
    for (const row of picture(machine, [1, 2]).split('\n')) expect(row.length).toBeLessThanOrEqual(80);
  });
});

it('a list is broken after commas, and goes on below itself', () => {
  expect(wrapped('  CPUs: ', '0-1,4-5,8-9,12-13', 16)).toEqual(['  CPUs: 0-1,4-5,', '        8-9,', '        12-13']);
  expect(wrapped('a: ', 'b, c, d', 7)).toEqual(['a: b,', '   c, d']);
});
