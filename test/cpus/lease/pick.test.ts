import { describe, expect, it } from 'vitest';
import { parseIndexSet, printIndexSet } from '../../../src/core/cpuset.ts';
import { type LeaseGround, pickLease } from '../../../src/cpus/lease/pick.ts';
import type { Lease } from '../../../src/cpus/lease/record.ts';
import { BOARD_4, CCX_32, GUEST_8, topologyOf } from '../fake-host.ts';

const set = (text: string) => parseIndexSet(text, 'cpus');

function lease(cpus: string, unit: string): Lease {
  const maker = { pid: 7, startTime: 1n, pidNamespace: 1n, bootId: 'b' };
  const rest = { command: 'make', reservation: undefined, since: '2026-01-01T00:00:00Z', group: undefined };
  return { id: unit, cpus: set(cpus), unit, maker, ...rest };
}

function ground(machine: Parameters<typeof topologyOf>[0], more: Partial<LeaseGround> = {}): LeaseGround {
  const topology = topologyOf(machine);
  const place = '/system.slice';
  return { topology, reservations: [], interrupts: new Map(), leases: [], open: topology.online, place, ...more };
}

function picked(of: LeaseGround, cores: number, more: { node?: number; reservation?: string } = {}): string {
  return printIndexSet(pickLease(of, { cores, node: more.node, reservation: more.reservation }).cpus);
}

describe('the cores of a lease', () => {
  it('are whole, with both threads', () => expect(picked(ground(GUEST_8), 1)).toBe('6-7'));

  it('are on one node, also where another has better ones', () => expect(picked(ground(GUEST_8), 2)).toBe('4-7'));

  it('leave out the core of the boot CPU as long as others do', () => {
    expect(picked(ground(GUEST_8), 3)).toBe('2-7');
    expect(picked(ground(GUEST_8, { leases: [lease('2-7', 'a.scope')] }), 1)).toBe('0-1');
  });

  it('are below one last-level cache where one has enough', () => {
    const choice = pickLease(ground(CCX_32), { cores: 4, node: undefined, reservation: undefined });
    expect(printIndexSet(choice.cpus)).toBe('12-15,28-31');
    expect(choice.reasons).toContain('below one L3 cache, of CPUs 12-15,28-31');
  });

  it('are not those with many interrupts while there are others', () => {
    expect(picked(ground(GUEST_8, { interrupts: new Map([[6, 1e6]]) }), 1, { node: 1 })).toBe('4-5');
  });

  it('are on the node that is asked for, and nowhere else', () => {
    expect(picked(ground(GUEST_8), 1, { node: 0 })).toBe('2-3');
    expect(() => picked(ground(GUEST_8), 3, { node: 0 })).toThrow('2 are free on NUMA node 0: it has 2');
  });

  it('are never those of another lease, another reservation, isolcpus= or outside of the slice', () => {
    const closed = { leases: [lease('6-7', 'a.scope')], reservations: [{ name: 'db.slice', cpus: set('4-5') }] };
    expect(picked(ground(GUEST_8, closed), 1)).toBe('2-3');
    expect(picked(ground({ ...GUEST_8, isolated: set('6-7') }), 1)).toBe('4-5');
    expect(picked(ground(GUEST_8, { open: set('0-5') }), 1)).toBe('4-5');
  });

  it('are those of the reservation that is named, isolated or not', () => {
    const reservations = [{ name: 'db.slice', cpus: set('2-5') }];
    const of = ground({ ...GUEST_8, isolated: set('4-5') }, { reservations });
    expect(picked(of, 2, { reservation: 'db.slice' })).toBe('2-5');
    expect(
      picked(ground(BOARD_4, { reservations: [{ name: 'db.slice', cpus: set('1') }] }), 1, { reservation: 'db.slice' }),
    ).toBe('1');
  });

  it('are not cores of which the reservation has one thread', () => {
    const reservations = [{ name: 'db.slice', cpus: set('3-5') }];
    expect(picked(ground(GUEST_8, { reservations }), 1, { reservation: 'db.slice' })).toBe('4-5');
    expect(() => picked(ground(GUEST_8, { reservations }), 2, { reservation: 'db.slice' })).toThrow(
      'CPUs 3 no whole core',
    );
  });
});

describe('a refusal of a lease', () => {
  it('names who has what', () => {
    const of = ground(GUEST_8, {
      leases: [lease('0-3', 'a.scope')],
      reservations: [{ name: 'db.slice', cpus: set('4-5') }],
      open: set('0-5'),
    });
    expect(() => picked(of, 1)).toThrow(
      'one free core was asked for and none is free: CPUs 0-3 leased by a.scope (make), CPUs 4-5 reserved for db.slice, CPUs 6-7 closed to /system.slice',
    );
  });

  it.each([
    [0, {}, '--exclusive 0 is not a number of cores'],
    [1, { node: 7 }, '--numa-node 7: there is no such node'],
    [1, { reservation: 'x.slice' }, 'there is no reservation for x.slice'],
  ])('says what cannot be meant: %s %j', (cores, more, message) => {
    expect(() => picked(ground(GUEST_8), cores, more)).toThrow(message);
  });
});
