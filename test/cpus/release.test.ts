import { describe, expect, it } from 'vitest';
import { planRelease } from '../../src/cpus/release.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { FakeHost } from './fake-host.ts';
import { factsOf, groupOf, recordOf, set, taskOf } from './ground.ts';

describe('a plan to release', () => {
  const records = [recordOf('a.slice', '2-3'), recordOf('db.slice', '6-7')];

  it('says what goes back, what stays reserved, and whom it concerns', () => {
    using host = new FakeHost();
    const ground = { tree: new RootTree(host.root), paths: host.paths, uid: 0 };
    const tasks = [taskOf('pg', '/db.slice/pg.service'), taskOf('x', '/a.slice/x.service')];
    const { title, notes } = planRelease(factsOf({ records, tasks }), ground, 'db.slice');
    expect(title).toBe('release payload CPUs 6-7 of db.slice');
    expect(notes).toEqual([
      {
        severity: 'info',
        text: 'CPUs 6-7 go back to the system, which then has 0-1,4-7',
        items: ['still reserved: 2-3 for a.slice'],
      },
      expect.objectContaining({ severity: 'impact', text: expect.stringMatching(/^one thread runs in db\.slice/) }),
    ]);
  });

  it('says before Linux 6.2 whose affinity goes with it', () => {
    using host = new FakeHost();
    const ground = { tree: new RootTree(host.root), paths: host.paths, uid: 0 };
    const groups = {
      version: 2 as const,
      root: set('0-7'),
      isolated: [],
      groups: [groupOf('/system.slice', '0-1,4-5')],
    };
    const tasks = [taskOf('x', '/system.slice/x.service', { allowed: set('0') })];
    const { notes } = planRelease(factsOf({ records, tasks, groups, kernel: [6, 1] }), ground, 'db.slice');
    expect(notes).toContainEqual(expect.objectContaining({ severity: 'impact', items: ['x.service: 1 thread on 0'] }));
  });

  it('is none for a slice without a reservation', () => {
    using host = new FakeHost();
    const ground = { tree: new RootTree(host.root), paths: host.paths, uid: 0 };
    expect(() => planRelease(factsOf({ records }), ground, 'rt.slice')).toThrow(
      expect.objectContaining({ code: 'E_INPUT', hint: 'there are reservations of a.slice, db.slice' }),
    );
  });

  it('is refused to others than root', () => {
    using host = new FakeHost();
    const ground = { tree: new RootTree(host.root), paths: host.paths, uid: 1000 };
    const { refusals, steps } = planRelease(factsOf({ records }), ground, 'db.slice');
    expect(refusals).toHaveLength(1);
    expect(steps).toEqual([]);
  });
});
