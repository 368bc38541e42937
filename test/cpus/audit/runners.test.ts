import { describe, expect, it } from 'vitest';
import { kernelRunners, runnersOf } from '../../../src/cpus/audit/can-run.ts';
import type { Activity } from '../../../src/cpus/audit/did-run.ts';
import { runnerFindings } from '../../../src/cpus/audit/runners.ts';
import type { Finding } from '../../../src/cpus/finding.ts';
import type { Task } from '../../../src/host/tasks.ts';
import { ALL, DB, group, SYSTEM, task, type ViewChange, viewWith } from './ground.ts';

function findingsOf(change: ViewChange, drift: readonly Finding[] = [], activity?: Activity): Finding[] {
  const view = viewWith(change);
  return runnerFindings(view, runnersOf(view), drift, activity);
}

const kinds = (change: ViewChange): string[] =>
  findingsOf(change).map(({ severity, kind, subject }) => `${severity} ${kind} ${subject}`);

describe('who may run on payload CPUs', () => {
  it('is nobody where all are confined, and the payload itself', () => {
    const tasks = [task('/system.slice/a.service', SYSTEM), task('/db.slice/pg.service', [6, 7])];
    expect(kinds({ tasks })).toEqual([]);
  });

  it.each<[string, Task, string]>([
    ['a service in the root slice', task('/web.service', ALL), 'breach tasks-of-root-slice web.service'],
    ['a process of the root group', task('/', ALL), 'breach tasks-of-root-group /'],
    ['a container of the cgroupfs driver', task('/docker/x', ALL), 'breach tasks-of-foreign-group /docker'],
    ['a slice that was not thought of', task('/ci.slice/j.service', ALL), 'breach tasks-of-unit j.service'],
    [
      'a session',
      task('/user.slice/user-7.slice/session-1.scope', ALL),
      'breach tasks-of-session session-1.scope (user 7)',
    ],
    [
      'a pod',
      task('/kubepods.slice/kubepods-pod1b4e28ba_2fa1_11d2_883f_0016d3cca427.slice', ALL),
      'breach tasks-of-pod kubepods-pod1b4e28ba_2fa1_11d2_883f_0016d3cca427.slice (pod 1b4e28ba-2fa1-11d2-883f-0016d3cca427)',
    ],
  ])('%s is found', (_, one, expected) => {
    expect(kinds({ tasks: [one], tree: { groups: [] } })).toEqual([expected]);
  });

  it('is told apart by an affinity of its own', () => {
    const tasks = [task('/web.service', ALL), task('/web.service', [7])];
    const found = findingsOf({ tasks });
    expect(found.map(({ what }) => what)).toEqual([
      '1 process (work) may run on payload CPUs 6-7 of db.slice',
      '1 process (work), pinned to 7, may run on payload CPUs 7 of db.slice',
    ]);
  });

  it('is no breach where the slice was left out', () => {
    const kept = { ...DB, keep: ['batch.slice'] };
    expect(kinds({ records: [kept], tasks: [task('/batch.slice/b.service', ALL)] })).toEqual([
      'info tasks-kept b.service',
    ]);
  });

  it('is no breach either where another reservation left the slice out, which is named', () => {
    const vm = { ...DB, name: 'vm.slice', cpus: [4, 5], keep: ['batch.slice'] };
    const change: ViewChange = { records: [DB, vm], tasks: [task('/batch.slice/b.service', ALL)] };
    expect(findingsOf(change)).toMatchObject([
      { kind: 'tasks-kept', severity: 'info', cause: expect.stringMatching(/^the reservation of vm\.slice leaves/) },
      { kind: 'tasks-kept', severity: 'info', cause: 'batch.slice was left out of the reservation (--keep)' },
    ]);
  });

  it('are pods where the kubelet has the CPUs', () => {
    const pods = { ...DB, name: 'kubepods.slice', kubelet: true };
    const pod = '/kubepods/besteffort/pod1b4e28ba-2fa1-11d2-883f-0016d3cca427/c';
    expect(kinds({ records: [pods], tasks: [task(pod, [6]), task('/kubepods.slice/x', [6])] })).toEqual([]);
  });

  it('counts no zombie and no thread of the kernel', () => {
    const tasks = [task('/', ALL, { state: 'Z' }), task('/', ALL, { kind: 'movable' })];
    expect(kinds({ tasks })).toEqual([]);
  });

  it('has the cause of its unit where that drifted', () => {
    const drift: Finding[] = [
      { kind: 'k', severity: 'drift', subject: 'system.slice', what: 'w', cause: 'a hook', cure: 'c', isFixable: true },
    ];
    const change = {
      tasks: [task('/system.slice/a.service', ALL)],
      tree: { groups: [group('/system.slice', ALL, ALL)] },
    };
    expect(findingsOf(change, drift)).toMatchObject([{ cause: 'a hook', cure: 'c', isFixable: true }]);
  });

  it('mends a group of another maker where the reservation confines it', () => {
    const groups = [{ path: '/docker', cpus: SYSTEM }];
    expect(findingsOf({ tasks: [task('/docker/x', ALL)], wanted: { groups } })).toMatchObject([{ isFixable: true }]);
    expect(findingsOf({ tasks: [task('/docker/x', ALL)] })).toMatchObject([{ isFixable: false }]);
  });

  it('names the tasks of another reservation that leave theirs', () => {
    const vm = { ...DB, name: 'vm.slice', cpus: [4, 5] };
    const change: ViewChange = { records: [DB, vm], tasks: [task('/vm.slice/q.service', [4, 5, 6])] };
    expect(kinds(change)).toEqual(['breach tasks-of-other-reservation q.service']);
  });

  it('says for how long they did in the window', () => {
    const one = task('/web.service', ALL);
    const activity: Activity = {
      windowMs: 2000,
      looks: 40,
      cpus: new Map(),
      tasks: [{ task: one, ranMs: 250, cpus: new Map([[6, 250]]), involuntary: 0 }],
      interrupts: [],
      cpuInterrupts: new Map(),
      softirqs: new Map(),
    };
    const [did, didNot] = findingsOf({ tasks: [one, task('/other.service', ALL)] }, [], activity);
    expect(did?.what).toMatch(/, and ran there for 250 ms of 2\.0 s$/);
    expect(didNot?.what).toMatch(/; they did not in 2\.0 s$/);
  });

  it('does not take a mask that isolcpus= or systemd gave for an affinity', () => {
    const view = viewWith({
      tasks: [task('/', [0, 1, 2, 3, 4, 6])],
      machine: { isolated: [5, 7] },
    });
    expect(runnersOf(view)).toMatchObject([{ affinity: undefined, cpus: [6] }]);
  });
});

it('parts the threads of the kernel by what can be done about them', () => {
  const tasks = [
    task('/', ALL, { kind: 'movable' }),
    task('/', ALL, { kind: 'fixed' }),
    task('/', [6], { kind: 'per-cpu' }),
    task('/', [0], { kind: 'per-cpu' }),
    task('/', SYSTEM, { kind: 'movable' }),
  ];
  const { movable, fixed, perCpu } = kernelRunners(viewWith({ tasks }), [6, 7]);
  expect([movable, fixed, perCpu].map(({ length }) => length)).toEqual([1, 1, 1]);
});
