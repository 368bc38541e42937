import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ChangeContext } from '../../src/change/engine.ts';
import { Journal, listChanges, lockStore, openStore } from '../../src/change/journal.ts';
import type { Action } from '../../src/change/plan.ts';
import type { UnitControl } from '../../src/change/units.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { applyPartitions, applyRecords } from '../../src/cpus/apply.ts';
import { DISK } from '../../src/host/disk.ts';
import { readSelf } from '../../src/host/self.ts';
import { describeWithBus } from '../fake/daemon.ts';
import { DB_RECORD, DB_TEXT, ReservedHost, stubActions } from './reserved-host.ts';

const ACTIONS = [
  'cpus.unit',
  'cpus.later',
  'cpus.start',
  'cpus.group',
  'cpus.partition',
  'cpus.kernel',
  'cpus.threads',
];
const SHIELD = '/etc/systemd/system/slice.d/10-slicectl-cpus.conf';

interface Boot {
  readonly context: ChangeContext;
  /** What was done, in its order. */
  readonly calls: string[];
}

/** A boot at which the actions whose words `fails` has reject. */
function bootOf({ tree }: ReservedHost, ...fails: readonly string[]): Boot {
  const calls: string[] = [];
  const told = (what: string): void => {
    calls.push(what);
    if (fails.includes(what)) throw new SlicectlError('E_NOT_IN_FORCE', `${what} did not hold`);
  };
  const self = readSelf();
  const manager: UnitControl = {
    job: async (verb, unit) => told(`${verb} ${unit}`),
    resetFailed: async (unit) => told(`reset-failed ${unit}`),
    reload: async () => told('reload'),
    state: async () => ({ activeState: 'active', activeSinceMs: 1 }),
  };
  const check = async () => ({ ok: true, found: '' });
  const context: ChangeContext = {
    tree,
    uid: self.uid,
    disk: DISK,
    checks: { 'cpus.held': check, 'cpus.wide': check },
    actions: stubActions(ACTIONS, told),
    store: openStore(tree, { ...self, uid: 0 }),
    manager: async () => manager,
  };
  return { context, calls };
}

describeWithBus('records at boot', () => {
  it('become files that systemd reads, and then sets of the units that run', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [DB_RECORD]: DB_TEXT });
    const { context, calls } = bootOf(host);
    const { done, problems } = await applyRecords(host, context);
    expect(problems).toEqual([]);
    expect(host.tree.text(SHIELD)).toContain('AllowedCPUs=0-5\n');
    expect(calls).toEqual([
      'cpus.later',
      'reload',
      'cpus.later',
      'cpus.unit init.scope',
      'cpus.unit system.slice',
      'cpus.unit user.slice',
      'cpus.start db.slice',
      'cpus.unit db.slice',
    ]);
    expect(done).toContain(`create ${SHIELD}`);
    expect(done).toContain('reload systemd');
    expect(done.length).toBe(calls.length + done.filter((words) => /^(?:create|write|check) /.test(words)).length);
  });

  it('make the groups of others before these run, so that nobody begins there with all CPUs', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.files.write({ [DB_RECORD]: `${DB_TEXT}Groups=/docker /lxc\n` });
    host.group('lxc', '');
    const { context } = bootOf(host);
    const { done } = await applyRecords(host, context);
    expect(done.filter((words) => words.includes('the group'))).toEqual([
      'confine the group /lxc to system CPUs 0-5',
      'make the group /docker with system CPUs 0-5',
    ]);
  });

  it('give a slice that started anew its partition back, and nobody else anything', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.files.write({ [DB_RECORD]: `${DB_TEXT}CPUSetPartition=root\n` });
    host.group('user.slice', '').group('db.slice', '');
    const { context, calls } = bootOf(host);
    expect(await applyRecords(host, context, { partitionsOnly: true })).toMatchObject({ problems: [] });
    expect(calls).toEqual(['cpus.unit db.slice', 'cpus.partition db.slice']);
  });

  it("are in nobody's way where no partition is lost", async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    const { context, calls } = bootOf(host);
    const lock = lockStore(context.store, 'undo');
    expect(await applyPartitions(host, context)).toEqual({ done: [], problems: [] });
    lock.release();
    expect(calls).toEqual([]);
  });

  it('are looked at again where a slice started anew while others got their partition back', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    host.files.write({ [DB_RECORD]: `${DB_TEXT}CPUSetPartition=root\n` });
    const { context, calls } = bootOf(host);
    // The kernel has the partition after the second time only, as if the slice had been stopped after the first.
    const partition = context.actions['cpus.partition'] as Action;
    const carryOut: Action['carryOut'] = async (parameters, facts) => {
      const isSecond = calls.includes('cpus.partition db.slice');
      if (isSecond) host.files.write({ 'sys/fs/cgroup/db.slice/cpuset.cpus.partition': 'root\n' });
      return partition.carryOut(parameters, facts);
    };
    const actions = { ...context.actions, 'cpus.partition': { ...partition, carryOut } };
    await applyPartitions(host, { ...context, actions });
    expect(calls).toEqual(['cpus.partition db.slice', 'cpus.partition db.slice']);
  });

  it('leave nothing in the journal and nothing beside the files', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [DB_RECORD]: DB_TEXT });
    const { context } = bootOf(host);
    await applyRecords(host, context);
    expect(listChanges(context.store)).toEqual([]);
    expect(host.tree.list('/etc/systemd/system/slice.d')).toEqual(['10-slicectl-cpus.conf']);
    expect(host.tree.list('/etc/slicectl/reservations')).toEqual(['db.slice.conf']);
  });

  it('are nothing to do where all is so already', async () => {
    await using host = await ReservedHost.open();
    await host.hold();
    const { context, calls } = bootOf(host);
    const { done, problems } = await applyRecords(host, context);
    expect({ calls, problems }).toEqual({ calls: [], problems: [] });
    expect(done.filter((words) => !words.startsWith('check that '))).toEqual([]);
  });

  it('are carried out as far as can be: a step that fails is told and keeps none of the others', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [DB_RECORD]: DB_TEXT });
    const { context, calls } = bootOf(host, 'reload', 'cpus.unit system.slice');
    const { done, problems } = await applyRecords(host, context);
    expect(problems).toEqual([
      'reload systemd: reload did not hold',
      expect.stringMatching(/system\.slice.*: cpus\.unit system\.slice did not hold$/),
    ]);
    expect(calls.slice(-3)).toEqual(['cpus.unit user.slice', 'cpus.start db.slice', 'cpus.unit db.slice']);
    expect(done).not.toContain('reload systemd');
  });

  it('that are no more leave no file of slicectl behind', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [SHIELD.slice(1)]: '[Slice]\nAllowedCPUs=0-5\n' });
    const { context, calls } = bootOf(host);
    const { done, problems } = await applyRecords(host, context);
    expect({ done: done.slice(0, 2), problems }).toEqual({
      done: ['give slices that were made meanwhile all CPUs', `remove ${SHIELD}`],
      problems: [],
    });
    expect(calls).toContain('reload');
    expect(existsSync(join(host.files.root, SHIELD))).toBe(false);
  });

  it('wait for a person where a change was interrupted: it is finished or taken back first', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [DB_RECORD]: DB_TEXT });
    const { context, calls } = bootOf(host);
    const plan = { title: 'reserve CPUs 6-7', root: '/', steps: [], refusals: [], notes: [] };
    lockStore(context.store, plan.title).release();
    const journal = Journal.create(context.store, plan, new Date());
    journal.append({ event: 'started', what: 'apply' });
    journal.close();
    await expect(applyRecords(host, context)).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
    expect(calls).toEqual([]);
    expect(host.tree.kind(SHIELD)).toBe('absent');
  });

  it('are left alone while somebody changes the host, and may be applied when that is over', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [DB_RECORD]: DB_TEXT });
    const { context, calls } = bootOf(host);
    const lock = lockStore(context.store, 'reserve CPUs 6-7');
    await expect(applyRecords(host, context)).rejects.toMatchObject({ code: 'E_LOCKED' });
    expect(calls).toEqual([]);
    lock.release();
    expect(await applyRecords(host, context)).toMatchObject({ problems: [] });
  });

  it('are refused where this host cannot hold them, and nothing is written', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [DB_RECORD]: DB_TEXT, 'sys/fs/cgroup/cgroup.controllers': 'cpu memory\n' });
    const { context, calls } = bootOf(host);
    await expect(applyRecords(host, context)).rejects.toMatchObject({
      code: 'E_REFUSED',
      message: expect.stringContaining('the cpuset controller is missing'),
      hint: expect.any(String),
    });
    expect(calls).toEqual([]);
    expect(host.tree.kind(SHIELD)).toBe('absent');
  });

  it('that cannot be read keep all from being done, and the lock is given back', async () => {
    await using host = await ReservedHost.open();
    host.files.write({ [DB_RECORD]: '[Reservation]\n' });
    const { context } = bootOf(host);
    await expect(applyRecords(host, context)).rejects.toMatchObject({ code: 'E_SYNTAX' });
    host.files.write({ [DB_RECORD]: DB_TEXT });
    expect(await applyRecords(host, context)).toMatchObject({ problems: [] });
  });
});
