import { describe, expect, it } from 'vitest';
import { describeStep } from '../../src/change/describe.ts';
import type { Step } from '../../src/change/plan.ts';
import type { CpuFacts, ReservationRecord } from '../../src/cpus/model.ts';
import { stepsTo } from '../../src/cpus/steps.ts';
import { wantedFor } from '../../src/cpus/want.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { FakeHost } from './fake-host.ts';
import { factsOf, groupOf, heldGroups, recordOf, set, taskOf, unitOf } from './ground.ts';
import { AGREEING } from './kubelet/facts.ts';

/** What is to be done on a host with these records, so that those hold. */
function stepsOn(host: FakeHost, facts: CpuFacts, records: readonly ReservationRecord[]): readonly Step[] {
  const ground = { tree: new RootTree(host.root), paths: host.paths };
  return stepsTo(facts, wantedFor(facts, records), ground);
}

const words = (steps: readonly Step[]): string[] =>
  steps.map((step) => describeStep(step).replace('/etc/systemd/system/', '').replace('slicectl-cpus.conf', '…'));

/** A host on which the records hold already. */
function held(host: FakeHost, records: readonly ReservationRecord[], more: Partial<CpuFacts> = {}): CpuFacts {
  const bare = factsOf(more);
  const wanted = wantedFor(bare, records);
  host.write(Object.fromEntries(wanted.files.map(({ path, text }) => [path, text])));
  const names = new Map(wanted.units.map(({ unit, cpus }) => [unit, cpus]));
  const known = [...new Set([...bare.units.map(({ name }) => name), ...names.keys()])];
  const units = known.map((name) => ({
    ...(bare.units.find((unit) => unit.name === name) ?? unitOf(name)),
    allowed: names.get(name) ?? [],
  }));
  return { ...bare, records, units, groups: heldGroups(bare.groups, units) };
}

describe('the steps to a reservation', () => {
  it('write it down, then the files, then give CPUs to the system before the payload, and look at last', () => {
    using host = new FakeHost();
    expect(words(stepsOn(host, factsOf(), [recordOf('db.slice', '6-7')]))).toEqual([
      'create /etc/slicectl/reservations/db.slice.conf',
      'note the slices that are there',
      'create slice.d/10-…',
      'create db.slice.d/zz-…',
      'create db-.slice.d/10-…',
      'create init.scope.d/zz-…',
      'reload systemd',
      'confine slices that are made meanwhile and later to the system CPUs 0-5',
      'confine init.scope to system CPUs 0-5',
      'confine system.slice to system CPUs 0-5',
      'confine user.slice to system CPUs 0-5',
      'start db.slice',
      'confine db.slice to payload CPUs 6-7',
      'check that no other process can run on the payload CPUs 6-7',
    ]);
  });

  it('keep tasks off CPUs of isolcpus= at the very end, of the undo and of the release', () => {
    using host = new FakeHost();
    const topology = { ...factsOf().topology, isolated: set('4-5') };
    const record = recordOf('db.slice', '6-7');
    const [first] = stepsOn(host, factsOf({ topology }), [record]);
    expect(first).toMatchObject({
      does: 'note that tasks are not on CPUs 4-5 of isolcpus=',
      doesBack: 'keep tasks off CPUs 4-5 of isolcpus=',
      parameters: { isolated: '4-5', when: 'back', except: [] },
    });
    const facts = held(host, [record], { topology });
    expect(words(stepsOn(host, facts, [])).at(-2)).toBe('keep tasks off CPUs 4-5 of isolcpus=');
    const more = stepsOn(host, facts, [record, recordOf('rt.slice', '3')]);
    expect(words(more).filter((step) => step.includes('isolcpus='))).toEqual([]);
  });

  it('leave CPUs of isolcpus= open where nothing keeps tasks off them, or systemd lets all run there', () => {
    using host = new FakeHost();
    const topology = { ...factsOf().topology, isolated: set('4-5') };
    const managerAffinity = { cpus: set('0-7'), path: '/etc/systemd/system.conf' };
    for (const more of [
      { topology, kernel: [6, 1] as const },
      { topology, managerAffinity },
    ]) {
      const steps = stepsOn(host, factsOf(more), [recordOf('db.slice', '6-7')]);
      expect(words(steps).filter((step) => step.includes('isolcpus='))).toEqual([]);
    }
  });

  it('know for the way back which units get sets by the files alone, before their own step', () => {
    using host = new FakeHost();
    const steps = stepsOn(host, factsOf(), [recordOf('db.slice', '6-7')]);
    expect(steps.find((step) => step.kind === 'action')).toMatchObject({
      action: 'cpus.later',
      parameters: {
        onlyBack: true,
        units: [
          { unit: 'init.scope', cpus: '0-5' },
          { unit: 'db.slice', cpus: '6-7' },
        ],
      },
    });
  });

  it('are none where it holds', () => {
    using host = new FakeHost();
    const records = [
      recordOf('a.slice', '2-3', { keep: ['machine.slice'] }),
      recordOf('b.slice', '6-7', { runtime: true }),
    ];
    expect(stepsOn(host, held(host, records), records)).toEqual([]);
  });

  it('mend a set that the kernel does not hold though systemd says so', () => {
    using host = new FakeHost();
    const records = [recordOf('db.slice', '6-7')];
    const groups = { version: 2, root: set('0-7'), isolated: [], groups: [groupOf('/system.slice', '0-7')] } as const;
    expect(words(stepsOn(host, held(host, records, { groups }), records))).toEqual([
      'confine system.slice to system CPUs 0-5',
      'check that no other process can run on the payload CPUs 6-7',
    ]);
  });

  it('confine units again whose group has no cpuset files, before groups that get theirs by that', () => {
    using host = new FakeHost();
    const records = [recordOf('db.slice', '6-7')];
    const units = [unitOf('-.slice', { cgroup: '' }), unitOf('system.slice'), unitOf('empty.slice', { cgroup: '' })];
    const bare = { asked: undefined, partition: undefined, effective: set('0-7') };
    const groups = {
      version: 2,
      root: set('0-7'),
      isolated: [],
      groups: [...units, unitOf('db.slice')]
        .filter(({ cgroup }) => cgroup !== '')
        .map(({ cgroup }) => groupOf(cgroup, '', bare))
        .concat(groupOf('/docker', '', bare)),
    } as const;
    const steps = stepsOn(host, held(host, records, { groups, units }), records);
    expect(words(steps)).toEqual([
      'confine system.slice to system CPUs 0-5',
      'confine the group /docker to system CPUs 0-5',
      'confine db.slice to payload CPUs 6-7',
      'check that no other process can run on the payload CPUs 6-7',
    ]);
    expect(steps[0]).toMatchObject({ details: ['AllowedCPUs 0-5, which the kernel does not hold'] });
  });

  it('confine a group that systemd did not make', () => {
    using host = new FakeHost();
    const groups = {
      version: 2,
      root: set('0-7'),
      isolated: [],
      groups: [groupOf('/docker', '', { asked: undefined })],
    } as const;
    expect(words(stepsOn(host, factsOf({ groups }), [recordOf('db.slice', '6-7')]))).toContain(
      'confine the group /docker to system CPUs 0-5',
    );
  });

  it('except from the last look what nobody confines', () => {
    using host = new FakeHost();
    const tasks = [taskOf('bash', '/user.slice/x.scope')];
    const steps = stepsOn(host, factsOf({ tasks }), [recordOf('db.slice', '6-7', { keep: ['vm.slice'] })]);
    expect(steps.at(-1)).toMatchObject({
      check: 'cpus.held',
      expect: { payload: '6-7', except: 'db.slice vm.slice' },
    });
  });
});

describe('a kubelet with the cgroupfs driver', () => {
  it('has its pods in a group that nobody confines, and the last look leaves out', () => {
    using host = new FakeHost();
    const kubelet = { ...AGREEING, podsGroups: ['/kubepods.slice', '/kubepods'] };
    const record = recordOf('kubepods.slice', '6-7', { kubelet: true });
    const held = stepsOn(host, factsOf({ kubelet }), [record]).at(-1);
    expect(held).toMatchObject({ check: 'cpus.held', expect: { payload: '6-7', except: 'kubepods.slice /kubepods' } });
  });
});

describe('the steps to other CPUs', () => {
  it('narrow the units of the system before they widen others', () => {
    using host = new FakeHost();
    const facts = held(host, [recordOf('db.slice', '6-7')]);
    const steps = stepsOn(host, facts, [recordOf('db.slice', '2-3,6-7')]);
    expect(words(steps).filter((line) => line.startsWith('confine'))).toEqual([
      'confine slices that are made meanwhile and later to the system CPUs 0-1,4-5',
      'confine init.scope to system CPUs 0-1,4-5',
      'confine system.slice to system CPUs 0-1,4-5',
      'confine user.slice to system CPUs 0-1,4-5',
      'confine db.slice to payload CPUs 2-3,6-7',
    ]);
  });

  it('make a partition a member before its CPUs change', () => {
    using host = new FakeHost();
    const partition = { type: 'root', invalid: undefined } as const;
    const groups = {
      version: 2,
      root: set('0-5'),
      isolated: [],
      groups: [groupOf('/db.slice', '6-7', { partition })],
    } as const;
    const facts = held(host, [recordOf('db.slice', '6-7', { partition: 'root' })], { groups });
    const steps = words(stepsOn(host, facts, [recordOf('db.slice', '5-7', { partition: 'root' })]));
    expect(steps[0]).toBe("make db.slice a member of its parent's partition");
    expect(steps.at(-2)).toBe('make db.slice a partition of type root');
  });

  it('touch no partition that is as it should be', () => {
    using host = new FakeHost();
    const partition = { type: 'root', invalid: undefined } as const;
    const groups = {
      version: 2,
      root: set('0-5'),
      isolated: [],
      groups: [groupOf('/db.slice', '6-7', { partition })],
    } as const;
    const records = [recordOf('db.slice', '6-7', { partition: 'root' })];
    expect(stepsOn(host, held(host, records, { groups }), records)).toEqual([]);
  });
});

describe('the steps to a release', () => {
  it('widen the units explicitly, and only then remove the files', () => {
    using host = new FakeHost();
    expect(words(stepsOn(host, held(host, [recordOf('db.slice', '6-7')]), []))).toEqual([
      'give db.slice all CPUs again',
      'give init.scope all CPUs again',
      'give system.slice all CPUs again',
      'give user.slice all CPUs again',
      'give slices that were made meanwhile all CPUs',
      'remove /etc/slicectl/reservations/db.slice.conf',
      'remove db-.slice.d/10-…',
      'remove db.slice.d/zz-…',
      'remove init.scope.d/zz-…',
      'remove slice.d/10-…',
      'reload systemd',
      'give slices that were made meanwhile all CPUs',
      'check that no task is left narrow, and CPUs 6-7 are open to all again',
    ]);
  });

  it('leave a unit the CPUs that an administrator gave it', () => {
    using host = new FakeHost();
    const units = [unitOf('system.slice', { given: set('0-6') })];
    const facts = held(host, [recordOf('db.slice', '6-7')], { units });
    const steps = stepsOn(host, facts, []);
    expect(steps).toContainEqual(
      expect.objectContaining({
        parameters: { unit: 'system.slice', name: 'AllowedCPUs', before: '0-5', after: '0-6', all: '0-7' },
      }),
    );
  });

  it('take the folders along that are there for these files alone', () => {
    using host = new FakeHost();
    const steps = stepsOn(
      host,
      held(host, [recordOf('db.slice', '6-7'), recordOf('a.slice', '2', { runtime: true })]),
      [],
    );
    const folders = Object.fromEntries(
      steps.flatMap((step) => (step.kind === 'file' ? [[step.path, step.folders]] : [])),
    );
    expect(folders).toMatchObject({
      '/etc/slicectl/reservations/db.slice.conf': ['/etc/slicectl', '/etc/slicectl/reservations'],
      '/run/slicectl/reservations/a.slice.conf': ['/run/slicectl/reservations'],
      '/etc/systemd/system/db.slice.d/zz-slicectl-cpus.conf': ['/etc/systemd/system/db.slice.d'],
    });
  });

  it('leave the other reservations as they are', () => {
    using host = new FakeHost();
    const [a, b] = [recordOf('a.slice', '2-3'), recordOf('b.slice', '6-7')];
    const steps = words(stepsOn(host, held(host, [a, b]), [a]));
    expect(steps).toContain('confine system.slice to system CPUs 0-1,4-7');
    expect(steps).toContain('confine b.slice to system CPUs 0-1,4-7');
    expect(steps.filter((line) => line.includes('a.slice'))).toEqual([]);
  });
});

describe('what no group rules', () => {
  const interrupts = {
    defaultAffinity: set('0-7'),
    lines: [
      { number: 24, name: 'nvme0q0', source: '', counts: new Map(), affinity: set('0-7'), effective: undefined },
      { number: 25, name: 'eth0', source: '', counts: new Map(), affinity: set('6'), effective: undefined },
      { number: 26, name: 'eth1', source: '', counts: new Map(), affinity: set('1'), effective: undefined },
      { number: 27, name: '', source: '', counts: new Map(), affinity: set('6'), effective: undefined },
    ],
  };
  const writes = (steps: readonly Step[]): unknown[] =>
    steps.flatMap((step) => (step.kind === 'action' ? ((step.parameters.writes as unknown[] | undefined) ?? []) : []));
  const record = recordOf('db.slice', '6-7', { interrupts: true });

  it('is moved off the payload CPUs, and stays where it is off them', () => {
    using host = new FakeHost();
    expect(writes(stepsOn(host, factsOf({ interrupts }), [record]))).toEqual([
      { path: `${host.paths.proc}/irq/default_smp_affinity`, before: 'ff', after: '3f' },
      { path: `${host.paths.proc}/irq/24/smp_affinity_list`, before: '0-7', after: '0-5' },
      { path: `${host.paths.proc}/irq/25/smp_affinity_list`, before: '6', after: '0-5' },
    ]);
  });

  it('gets all CPUs again where it has the set that slicectl gave it', () => {
    using host = new FakeHost();
    const [first, second, third] = interrupts.lines as [never, never, never];
    const moved = {
      defaultAffinity: set('0-5'),
      lines: [
        { ...(first as object), affinity: set('0-5') },
        { ...(second as object), affinity: set('0-3') },
        third,
      ] as never,
    };
    expect(writes(stepsOn(host, held(host, [record], { interrupts: moved }), []))).toEqual([
      { path: `${host.paths.proc}/irq/default_smp_affinity`, before: '3f', after: 'ff' },
      { path: `${host.paths.proc}/irq/24/smp_affinity_list`, before: '0-5', after: '0-7' },
    ]);
  });

  it('leaves interrupts that the kernel does not let anybody move', () => {
    using host = new FakeHost();
    const movability = new Map([[25, 'refuses' as const]]);
    const paths = writes(stepsOn(host, factsOf({ interrupts, movability }), [record]));
    expect(JSON.stringify(paths)).not.toContain('/irq/25/');
    expect(JSON.stringify(paths)).toContain('/irq/24/');
  });

  it('of the workers is the mask that was written, not what an isolated partition made of it', () => {
    using host = new FakeHost();
    const workqueues = {
      cpumask: set('0-5'),
      isolated: set('6-7'),
      requested: set('0-7'),
      queues: [{ name: 'writeback', cpumask: set('0-7') }],
    };
    const steps = stepsOn(host, factsOf({ workqueues }), [recordOf('db.slice', '6-7', { workqueues: true })]);
    expect(writes(steps)).toEqual([
      { path: `${host.paths.sys}/devices/virtual/workqueue/cpumask`, before: 'ff', after: '3f' },
      { path: `${host.paths.sys}/devices/virtual/workqueue/writeback/cpumask`, before: 'ff', after: '3f' },
    ]);
  });

  it('of its threads is only what can be moved', () => {
    using host = new FakeHost();
    const tasks = [
      taskOf('kthreadd', '/', { kind: 'movable' }),
      taskOf('kworker', '/', { kind: 'fixed' }),
      taskOf('ksoftirqd/6', '/', { kind: 'per-cpu', allowed: set('6') }),
    ];
    const steps = words(stepsOn(host, factsOf({ tasks }), [recordOf('db.slice', '6-7', { kernelThreads: true })]));
    expect(steps).toContain('move 1 kernel thread that can be moved to CPUs 0-5');
  });

  it('irqbalance reads anew before interrupts are moved, and after its file is gone', () => {
    using host = new FakeHost();
    const irqbalance = { isRunning: true, banned: [] };
    const there = words(stepsOn(host, factsOf({ irqbalance, interrupts }), [record]));
    expect(there.indexOf('restart irqbalance.service')).toBeLessThan(
      there.indexOf('keep device interrupts on system CPUs 0-5'),
    );
    const back = words(stepsOn(host, held(host, [record], { irqbalance, interrupts }), []));
    expect(back.indexOf('restart irqbalance.service')).toBeGreaterThan(
      back.indexOf('remove /etc/slicectl/irqbalance.env'),
    );
  });
});
