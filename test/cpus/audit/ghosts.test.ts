import { describe, expect, it } from 'vitest';
import { cureOf, ghostFindings, judgeGhosts } from '../../../src/cpus/audit/ghosts.ts';
import type { Ghost } from '../../../src/cpus/hold/ghosts.ts';
import { ALL, task, type ViewChange, viewWith } from './ground.ts';

const NARROW = [0, 1, 2, 3];

function ghost(cgroup: string, allowed = NARROW, tid?: number): Ghost {
  const one = task(cgroup, allowed, tid === undefined ? {} : { tid });
  return { unit: cgroup.slice(cgroup.lastIndexOf('/') + 1), cgroup, allowed, open: ALL, tasks: [one] };
}

const kinds = (found: readonly Ghost[], change: ViewChange = { records: [] }): string[] =>
  ghostFindings(judgeGhosts(found, viewWith(change))).map(({ kind, subject }) => `${kind} ${subject}`);

describe('tasks that are narrower than their group', () => {
  it('are left so where those of several units have one mask', () => {
    expect(kinds([ghost('/system.slice/a.service'), ghost('/system.slice/b.service')])).toEqual([
      'ghost-mask system.slice',
    ]);
  });

  it('may have chosen it where there is one unit', () => {
    expect(kinds([ghost('/system.slice/a.service')])).toEqual(['own-mask system.slice']);
    expect(kinds([ghost('/system.slice/a.service', [0]), ghost('/system.slice/b.service', [1])])).toEqual([
      'own-mask system.slice',
      'own-mask system.slice',
    ]);
  });

  it('were pinned where others of their unit are wide, as one worker of a pool is', () => {
    const pinned = ['nginx', 'haproxy'].map((name) => ghost(`/system.slice/${name}.service`, [1]));
    const tasks = pinned.flatMap(({ tasks: own, cgroup }) => [...own, task(cgroup, ALL)]);
    expect(kinds(pinned, { records: [], tasks })).toEqual(['own-mask system.slice']);
    const narrow = ['a', 'b'].map((name) => ghost(`/system.slice/${name}.service`, [1]));
    const all = [...tasks, ...narrow.flatMap(({ tasks: own }) => own)];
    expect(kinds([...pinned, ...narrow], { records: [], tasks: all })).toEqual([
      'ghost-mask system.slice',
      'own-mask system.slice',
    ]);
  });

  it('are left so where what is wide beside them has ended, or follows its process', () => {
    const found = ['a', 'b'].map((name) => ghost(`/system.slice/${name}.service`));
    const tasks = found.flatMap(({ tasks: own, cgroup }) => [
      ...own,
      task(cgroup, ALL, { state: 'Z' }),
      task(cgroup, ALL, { noSetAffinity: true }),
    ]);
    expect(kinds(found, { records: [], tasks })).toEqual(['ghost-mask system.slice']);
  });

  it('are none in pods and in slices that reservations leave alone', () => {
    const pods = ['1b4e28ba_2fa1_11d2_883f_0016d3cca427', '2b4e28ba_2fa1_11d2_883f_0016d3cca427'].map((uid) =>
      ghost(`/kubepods.slice/kubepods-pod${uid}.slice/cri-containerd-a.scope`),
    );
    expect(kinds(pods)).toEqual([]);
    const kept = [ghost('/batch.slice/a.service'), ghost('/batch.slice/b.service')];
    expect(kinds(kept, { wanted: { left: ['batch.slice'] } })).toEqual([]);
  });

  it('are left so where PID 1 is among them', () => {
    expect(kinds([ghost('/init.scope', NARROW, 1)])).toEqual(['ghost-mask init.scope']);
  });

  it('are none in the payload', () => {
    expect(kinds([ghost('/db.slice/a.service', [6]), ghost('/db.slice/b.service', [6])])).toEqual([]);
  });

  it('are cured by a set that differs, and then by the whole one', () => {
    expect(cureOf({ mask: NARROW, open: ALL })).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const [found] = ghostFindings(judgeGhosts([ghost('/init.scope', NARROW, 1)], viewWith({ records: [] })));
    expect(found?.cure).toBe('systemctl set-property --runtime init.scope AllowedCPUs=0-6, and again with 0-7');
    expect(found?.isFixable).toBe(true);
  });
});
