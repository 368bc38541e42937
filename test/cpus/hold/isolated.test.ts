import { describe, expect, it } from 'vitest';
import { type IndexSet, printIndexSet } from '../../../src/core/cpuset.ts';
import { isolatedAction } from '../../../src/cpus/hold/isolated.ts';
import { FakeHost, GUEST_8 } from '../fake-host.ts';
import { type FakeTask, taskFiles } from '../task-files.ts';

const KTHREAD = 0x0020_0000;
const BACK = { isolated: '6-7', when: 'back', except: ['/system.slice/wide.service'] };

/** A host with isolcpus=6-7, and the threads of processes. */
function host(processes: Readonly<Record<number, readonly FakeTask[]>>): FakeHost {
  const threads = Object.entries(processes).flatMap(([pid, tasks]) =>
    tasks.map((task, at) => taskFiles(Number(pid), Number(pid) + at, task)),
  );
  const mountinfo = { 'proc/self/mountinfo': '30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n' };
  return new FakeHost().machine(GUEST_8).write(Object.assign({ ...mountinfo }, ...threads));
}

/** What tasks are told, and the host then says of them. */
function hands(fake: FakeHost, processes: Readonly<Record<number, readonly FakeTask[]>>) {
  const told: string[] = [];
  const give = async (tid: number, set: IndexSet, { allThreads = false } = {}): Promise<boolean> => {
    told.push(`${allThreads ? 'all of ' : ''}${tid}: ${printIndexSet(set)}`);
    for (const [pid, tasks] of Object.entries(processes)) {
      for (const [at, task] of tasks.entries()) {
        const isMeant = Number(pid) + at === tid || (allThreads && Number(pid) === tid);
        if (isMeant) fake.write(taskFiles(Number(pid), Number(pid) + at, { ...task, allowed: printIndexSet(set) }));
      }
    }
    return true;
  };
  return { told, give };
}

describe('tasks and the CPUs of isolcpus=', () => {
  const wide = { name: 'systemd', cgroup: '0::/init.scope\n' };
  const processes = {
    1: [wide],
    20: [{ name: 'off them', allowed: '0-5' }],
    30: [{ name: 'pinned', allowed: '6' }],
    40: [wide, { name: 'pinned thread', allowed: '7' }],
    50: [wide, wide],
    60: [{ name: 'kthreadd', flags: KTHREAD }],
    70: [{ name: 'wide', cgroup: '0::/system.slice/wide.service\n' }],
    80: [{ name: 'narrow', allowed: '0-3' }],
  };

  it('are kept off, but for those that are pinned, whose unit lets them run everywhere, or of the kernel', async () => {
    using fake = host(processes);
    const { told, give } = hands(fake, processes);
    await isolatedAction(fake, give).takeBack(BACK, {});
    expect(told).toEqual(['all of 1: 0-5', '40: 0-5', 'all of 50: 0-5']);
  });

  it('are left alone on the way to a reservation', async () => {
    using fake = host(processes);
    const { told, give } = hands(fake, processes);
    await isolatedAction(fake, give).carryOut(BACK, {});
    await isolatedAction(fake, give).takeBack({ ...BACK, when: 'forward' }, {});
    expect(told).toEqual([]);
  });

  it('are named when they stay there', async () => {
    using fake = host({ 1: [wide] });
    await expect(
      isolatedAction(fake, async () => true).carryOut({ ...BACK, when: 'forward' }, {}),
    ).rejects.toMatchObject({
      code: 'E_NOT_IN_FORCE',
      message: 'tasks may still run on CPUs 6-7 of isolcpus=: systemd (1)',
    });
  });

  it('are left alone while none of these CPUs is online', async () => {
    using fake = host({ 1: [{ ...wide, allowed: '0-7' }] });
    const { told, give } = hands(fake, {});
    await isolatedAction(fake, give).takeBack({ ...BACK, isolated: '8-9' }, {});
    expect(told).toEqual([]);
  });
});
