import { afterEach, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/backend/backend.ts';
import { cgroupBackend } from '../../src/backend/cgroup.ts';
import type { Controller } from '../../src/core/properties/row.ts';
import type { CgroupLayout } from '../../src/host/cgroups.ts';
import { type FakeHost, fakeHost, OWNER, request } from './fake-tree.ts';

let host: FakeHost;
afterEach(() => host.close());

/** v1 hierarchies by mount, `cpu,cpuacct` for a co-mount; the caller is in `/box` of each. */
function open(mounts: readonly string[], files: Readonly<Record<string, string>> = {}) {
  host = fakeHost({
    ...Object.fromEntries(mounts.map((mount) => [`cg/${mount}/box/cgroup.procs`, ''])),
    ...files,
  });
  const v1 = new Map(
    mounts.flatMap((mount) =>
      mount.split(',').map((c) => [c as Controller, { mount: `${host.root}/cg/${mount}`, root: '/' }] as const),
    ),
  );
  const layout: CgroupLayout = { mode: 'legacy', v2: undefined, v1 };
  const membership = { v2: undefined, v1: new Map([...v1.keys()].map((c) => [c, '/box'] as const)) };
  return cgroupBackend({ paths: host.paths, uid: 0, layout, membership, owner: OWNER });
}

function told({ steps }: Plan): string[] {
  return steps.map((step) => {
    if (step.do === 'call') return 'call';
    const path = step.path.slice(host.root.length + 4);
    return `${step.do} ${path}${step.do === 'write' ? ` ${step.text}` : ''}`;
  });
}

const MEMORY = {
  'cg/memory/box/memory.limit_in_bytes': '9223372036854771712\n',
  'cg/memory/box/memory.memsw.limit_in_bytes': '9223372036854771712\n',
};

describe('the plan of a job on cgroup v1', () => {
  it('makes one folder in a co-mount, and writes period before quota', async () => {
    const backend = open(['cpu,cpuacct', 'freezer'], {
      'cg/cpu,cpuacct/box/cpu.cfs_period_us': '100000\n',
      'cg/cpu,cpuacct/box/cpu.cfs_quota_us': '-1\n',
    });
    const plan = await backend.plan(request({ CPUQuota: '20%' }, { slice: 's.slice' }));
    expect(told(plan)).toEqual([
      'make freezer/box/s.slice',
      `make freezer/box/s.slice/${plan.unit}`,
      'make cpu,cpuacct/box/s.slice',
      `make cpu,cpuacct/box/s.slice/${plan.unit}`,
      `write cpu,cpuacct/box/s.slice/${plan.unit}/cpu.cfs_period_us 100000`,
      `write cpu,cpuacct/box/s.slice/${plan.unit}/cpu.cfs_quota_us 20000`,
      `move freezer/box/s.slice/${plan.unit}`,
      `move cpu,cpuacct/box/s.slice/${plan.unit}`,
    ]);
  });

  it('fills memory nodes and CPUs of every new cpuset from the one above, before the limits', async () => {
    const backend = open(['cpuset', 'freezer'], {
      'cg/cpuset/box/cpuset.mems': '0\n',
      'cg/cpuset/box/cpuset.cpus': '0-3\n',
      'cg/cpuset/box/cpuset.effective_cpus': '0-3\n',
    });
    const plan = await backend.plan(request({ AllowedCPUs: '2-3' }, { slice: 's.slice' }));
    expect(told(plan).filter((step) => step.includes('cpuset/'))).toEqual([
      'make cpuset/box/s.slice',
      'write cpuset/box/s.slice/cpuset.mems 0',
      'write cpuset/box/s.slice/cpuset.cpus 0-3',
      `make cpuset/box/s.slice/${plan.unit}`,
      `write cpuset/box/s.slice/${plan.unit}/cpuset.mems 0`,
      `write cpuset/box/s.slice/${plan.unit}/cpuset.cpus 0-3`,
      `write cpuset/box/s.slice/${plan.unit}/cpuset.cpus 2-3`,
      `move cpuset/box/s.slice/${plan.unit}`,
    ]);
    expect(told(await backend.plan(request())).filter((step) => step.includes('cpuset/'))).toEqual([]);
  });

  it('turns use_hierarchy on where an old kernel has it off, before groups are made below', async () => {
    const backend = open(['memory'], { ...MEMORY, 'cg/memory/box/memory.use_hierarchy': '0\n' });
    const plan = await backend.plan(request({ MemoryMax: '1G', MemorySwapMax: '1G' }, { slice: 's.slice' }));
    expect(told(plan)).toEqual([
      'make memory/box/s.slice',
      'write memory/box/s.slice/memory.use_hierarchy 1',
      `make memory/box/s.slice/${plan.unit}`,
      `write memory/box/s.slice/${plan.unit}/memory.limit_in_bytes 1073741824`,
      `write memory/box/s.slice/${plan.unit}/memory.memsw.limit_in_bytes 2147483648`,
      `move memory/box/s.slice/${plan.unit}`,
    ]);
  });

  it('refuses what v1 cannot say, and says why', async () => {
    const backend = open(['memory', 'freezer'], MEMORY);
    await expect(backend.plan(request({ MemorySwapMax: '1G' }))).rejects.toThrow(/memory and swap together/);
    await expect(backend.plan(request({ MemoryHigh: '1G' }))).rejects.toThrow(/cgroup v1 has no file/);
    await expect(backend.plan(request({ TasksMax: '5' }))).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      hint: expect.stringContaining('mount -t cgroup -o pids'),
    });
    host.write({ 'proc/cgroups': '#subsys_name\thierarchy\tnum_cgroups\tenabled\npids\t0\t1\t0\n' });
    await expect(backend.plan(request({ TasksMax: '5' }))).rejects.toThrow(/disabled on the kernel command line/);
  });

  it('refuses swap limits on a kernel that does not count swap', async () => {
    const backend = open(['memory'], { 'cg/memory/box/memory.limit_in_bytes': '1\n' });
    await expect(backend.plan(request({ MemoryMax: '1G', MemorySwapMax: '0' }))).rejects.toMatchObject({
      hint: expect.stringContaining('swapaccount=1'),
    });
  });

  it('moves no process before the limits stand', async () => {
    const backend = open(['pids'], { 'cg/pids/box/pids.max': 'max\n' });
    const plan = await backend.plan(request({ TasksMax: '5' }));
    expect(told(plan).map((step) => step.split(' ')[0])).toEqual(['make', 'write', 'move']);
  });
});
