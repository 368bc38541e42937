import { afterEach, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/backend/backend.ts';
import { cgroupBackend } from '../../src/backend/cgroup.ts';
import type { CgroupLayout } from '../../src/host/cgroups.ts';
import { type FakeHost, fakeHost, OWNER, request, v2Member } from './fake-tree.ts';

const ALL = 'cpuset cpu io memory pids\n';
let host: FakeHost;
afterEach(() => host.close());

/** A v2 tree in which the caller is in `/box`, below a root; `files` are those of `/box`. */
function open(files: Readonly<Record<string, string>>, own = '/box') {
  const box = Object.fromEntries(Object.entries(files).map(([name, text]) => [`cg/box/${name}`, text]));
  host = fakeHost({
    'cg/cgroup.controllers': ALL,
    'cg/box/cgroup.controllers': ALL,
    'cg/box/cgroup.subtree_control': '',
    'cg/box/cgroup.type': 'domain\n',
    'cg/box/cgroup.procs': '',
    'cg/box/memory.max': 'max\n',
    'cg/box/pids.max': 'max\n',
    'cg/box/cpu.max': 'max 100000\n',
    'cg/box/cpu.weight': '100\n',
    'cg/box/cpuset.cpus': '',
    ...box,
  });
  const layout: CgroupLayout = { mode: 'unified', v2: { mount: `${host.root}/cg`, root: '/' }, v1: new Map() };
  return cgroupBackend({ paths: host.paths, uid: 0, layout, membership: v2Member(own), owner: OWNER });
}

/** The steps with paths below the tree's root. */
function told({ steps }: Plan): string[] {
  return steps.map((step) => {
    if (step.do === 'call') return 'call';
    const path = step.path.slice(host.root.length + 3);
    const more =
      step.do === 'write' ? ` ${step.text}` : step.do === 'move' ? ` ${step.what.replace(`${host.root}/cg`, '')}` : '';
    return `${step.do} ${path}${more}`;
  });
}

describe('the plan of a job on cgroup v2', () => {
  it('hands controllers down to the parent of the job, limits in the table’s order, and moves the process last', async () => {
    const plan = await open({}).plan(
      request({ TasksMax: '8', MemoryMax: '1G', CPUQuota: '50%' }, { slice: 'a-b.slice', unit: 'job' }),
    );
    const mark = told(plan).find((step) => /job\.scope\/slicectl_16_/.test(step));
    expect(told(plan)).toEqual([
      'write /box/cgroup.subtree_control +cpu +memory +io +pids',
      'make /box/a.slice',
      'write /box/a.slice/cgroup.subtree_control +cpu +memory +io +pids',
      'make /box/a.slice/a-b.slice',
      'write /box/a.slice/a-b.slice/cgroup.subtree_control +cpu +memory +io +pids',
      'make /box/a.slice/a-b.slice/job.scope',
      mark,
      'write /box/a.slice/a-b.slice/job.scope/cpu.max 50000 100000',
      'write /box/a.slice/a-b.slice/job.scope/memory.max 1073741824',
      'write /box/a.slice/a-b.slice/job.scope/pids.max 8',
      'move /box/a.slice/a-b.slice/job.scope the job',
    ]);
  });

  it('enables only what is missing, and cpuset only when asked for', async () => {
    const backend = open({ 'cgroup.subtree_control': 'cpu memory pids\n', 'cpuset.cpus.effective': '0-3\n' });
    expect(told(await backend.plan(request()))[0]).toBe('write /box/cgroup.subtree_control +io');
    expect(told(await backend.plan(request({ AllowedCPUs: '1' })))[0]).toBe(
      'write /box/cgroup.subtree_control +cpuset +io',
    );
  });

  it('moves the processes of its own group into a leaf first', async () => {
    const plan = await open({ 'cgroup.procs': '7\n8\n' }).plan(request());
    expect(told(plan).slice(0, 3)).toEqual([
      'make /box/slicectl_supervisor.scope',
      'move /box/slicectl_supervisor.scope /box',
      'write /box/cgroup.subtree_control +cpu +memory +io +pids',
    ]);
    expect(plan.notes[0]?.text).toContain('slicectl_supervisor.scope');
  });

  it('knows that leaf when it is started in it again', async () => {
    const files = { 'cgroup.subtree_control': 'cpu io memory pids\n', 'slicectl_supervisor.scope/cgroup.procs': '7\n' };
    const plan = await open(files, '/box/slicectl_supervisor.scope').plan(request({}, { unit: 'x' }));
    expect(told(plan)[0]).toBe('make /box/x.scope');
  });

  it('moves nothing at the root of the whole tree, which may hold processes', async () => {
    const backend = open({});
    host.write({ 'cg/cgroup.procs': '1\n2\n', 'cg/cgroup.subtree_control': '' });
    const layout: CgroupLayout = { mode: 'unified', v2: { mount: `${host.root}/cg`, root: '/' }, v1: new Map() };
    const top = cgroupBackend({ paths: host.paths, uid: 0, layout, membership: v2Member('/'), owner: OWNER });
    expect(told(await top.plan(request()))[0]).toBe('write /cgroup.subtree_control +cpu +memory +io +pids');
    backend.close();
  });

  it('says why a controller is not there', async () => {
    const undelegated = open({ 'cgroup.controllers': 'memory pids\n' });
    await expect(undelegated.plan(request({ CPUQuota: '50%' }))).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringMatching(/CPUQuota=50% .*cgroup\.controllers: the groups above do not hand it down/),
      hint: expect.stringContaining('Delegate'),
    });
    host.write({ 'proc/cmdline': 'quiet cgroup_disable=cpu\n' });
    await expect(undelegated.plan(request({ CPUQuota: '50%' }))).rejects.toThrow(/disabled on the kernel command line/);
    const plan = await undelegated.plan(request({ CPUQuota: '50%', TasksMax: '5' }, { bestEffort: true }));
    expect(plan.limits).toEqual({ TasksMax: 5n });
    expect(plan.notes[0]).toMatchObject({ limit: 'CPUQuota' });
  });

  it('refuses a file that this kernel lacks, and OOMPolicy=stop', async () => {
    const backend = open({});
    await expect(backend.plan(request({ MemoryZSwapMax: '1G' }))).rejects.toThrow(
      /this kernel has no memory.zswap.max/,
    );
    await expect(backend.plan(request({ OOMPolicy: 'stop' }))).rejects.toThrow(/only systemd/);
  });

  it('refuses CPUs that the group above cannot use', async () => {
    const backend = open({ 'cpuset.cpus.effective': '0-1\n' });
    await expect(backend.plan(request({ AllowedCPUs: '1-2' }))).rejects.toMatchObject({
      code: 'E_NOT_IN_FORCE',
      hint: 'choose from 0-1',
    });
  });
});
