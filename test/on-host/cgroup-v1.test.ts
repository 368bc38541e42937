import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { cgroupBackend } from '../../src/backend/cgroup.ts';
import { blockDevice } from '../../src/host/devices.ts';
import { HOST } from '../../src/host/paths.ts';
import { asked, type Ground, HERE, NO_V1, openGround, read, request, start } from './cgroup-ground.ts';

/** Why the limits of the disk below the root file system cannot be tried; undefined when they can. */
const NO_DISK = ((): string | undefined => {
  if (!HERE.v1.has('blkio')) return 'needs the v1 hierarchy blkio';
  try {
    blockDevice(HOST, '/');
    return undefined;
  } catch (error) {
    return String(error);
  }
})();

/** Every assertion is on what the kernel's own files say. */
describe.skipIf(NO_V1)(`plain cgroups v1 on this kernel${NO_V1 ? `: ${NO_V1}` : ''}`, () => {
  let ground: Ground;
  let backend: Backend;

  beforeAll(() => {
    ground = openGround(1);
    backend = cgroupBackend({ paths: HOST, uid: 0, layout: ground.layout, membership: ground.membership });
  });
  afterAll(() => ground.close());

  it('puts the process into a folder of every hierarchy but cpuset', async () => {
    const { group, pid, plan, exited } = await start(backend, request(), 'cat /proc/self/cgroup');
    const { out } = await exited;
    for (const controller of ['freezer', 'pids', 'memory', 'cpuacct', 'cpu', 'blkio'])
      expect(out).toMatch(new RegExp(`:${controller}:/slicectl-test[^\n]*/${plan.unit}\n`));
    expect(out).not.toMatch(/:cpuset:.*slicectl_/);
    expect(group.contains(pid)).toBe(false);
    expect(await group.remove()).toBe(true);
    for (const controller of ['freezer', 'pids', 'memory', 'cpuacct', 'cpu', 'blkio'] as const)
      expect(existsSync(`${ground.folder(controller)}/${plan.unit}`)).toBe(false);
  });

  it('CPUQuota=50% throttles a busy loop to half a CPU', async () => {
    // So that others on this machine cannot hold it below its quota.
    writeFileSync(`${ground.folder('cpu')}/cpu.shares`, '262144');
    const { group } = await start(backend, request({ CPUQuota: '50%' }), 'while :; do :; done');
    await sleep(300);
    const usage = () => BigInt(group.files.read('cpuacct', 'cpuacct.usage') ?? '0');
    const [before, begun] = [usage(), process.hrtime.bigint()];
    await sleep(3000);
    const share = Number(usage() - before) / Number(process.hrtime.bigint() - begun);
    const throttled = Number(/nr_throttled (\d+)/.exec(group.files.read('cpu', 'cpu.stat') ?? '')?.[1]);
    await group.kill('SIGKILL');
    expect(await group.remove()).toBe(true);
    expect(throttled).toBeGreaterThan(0);
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  it('MemoryMax=5M: the allocator is killed, the shell above it lives', async () => {
    const allocate = `perl -e '$x .= "x" x 1048576 for 1..64; print "all of it\\n"'`;
    const { group, exited } = await start(
      backend,
      request({ MemoryMax: '5M', MemorySwapMax: '0' }),
      `${allocate}; echo "status $?"`,
    );
    const { code, out } = await exited;
    expect(out).toContain('status 137');
    expect(out).not.toContain('all of it');
    expect(code).toBe(0);
    expect(group.files.read('memory', 'memory.limit_in_bytes')?.trim()).toBe('5242880');
    expect(group.files.read('memory', 'memory.memsw.limit_in_bytes')?.trim()).toBe('5242880');
    expect(group.files.read('memory', 'memory.oom_control')).toMatch(/^oom_kill 1$/m);
    expect(await group.remove()).toBe(true);
  });

  it('TasksMax=8 refuses the fork', async () => {
    const { group, exited } = await start(
      backend,
      request({ TasksMax: '8' }),
      'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 2 & done; wait',
    );
    const { out } = await exited;
    expect(out).toMatch(/fork/i);
    expect(group.files.read('pids', 'pids.max')?.trim()).toBe('8');
    expect(group.files.read('pids', 'pids.events')).toMatch(/^max [1-9]/);
    expect(group.processes().length).toBeLessThanOrEqual(8);
    await group.kill('SIGKILL');
    expect(await group.remove()).toBe(true);
  });

  it('AllowedCPUs shows in Cpus_allowed_list, in a slice too', async () => {
    const { group, exited, plan } = await start(
      backend,
      request({ AllowedCPUs: '1' }, { slice: 'a-b.slice' }),
      'grep -E "Cpus_allowed_list|Mems_allowed_list" /proc/self/status',
    );
    expect((await exited).out).toMatch(/Cpus_allowed_list:\s+1\n/);
    const parent = `${ground.folder('cpuset')}/a.slice/a-b.slice`;
    expect(read(`${parent}/cpuset.cpus`)).toBe(read(`${ground.folder('cpuset')}/cpuset.cpus`));
    expect(read(`${parent}/${plan.unit}/cpuset.cpus`)).toBe('1');
    expect(await group.remove()).toBe(true);
    expect(existsSync(`${ground.folder('cpuset')}/a.slice`)).toBe(false);
    expect(existsSync(`${ground.folder('memory')}/a.slice`)).toBe(false);
  });

  it.skipIf(NO_DISK)(`limits of a disk stand in the files${NO_DISK ? `: ${NO_DISK}` : ''}`, async () => {
    const { group, exited, plan } = await start(
      backend,
      request({ IOReadBandwidthMax: '/ 10M', IOWriteIOPSMax: '/ 100' }),
      'true',
    );
    await exited;
    const disk = plan.devices.get('/');
    expect(group.files.read('blkio', 'blkio.throttle.read_bps_device')?.trim()).toBe(`${disk} 10000000`);
    expect(group.files.read('blkio', 'blkio.throttle.write_iops_device')?.trim()).toBe(`${disk} 100`);
    expect(await group.remove()).toBe(true);
  });

  it('a CPU that the group above does not have is refused, and with best effort narrowed', async () => {
    await expect(backend.plan(request({ AllowedCPUs: '1,300' }))).rejects.toMatchObject({ code: 'E_NOT_IN_FORCE' });
    const plan = await backend.plan(request({ AllowedCPUs: '1,300' }, { bestEffort: true }));
    expect(plan.limits.AllowedCPUs).toEqual([1]);
    expect(plan.notes[0]?.text).toContain('300');
  });

  it('SIGKILL converges on a fork bomb', async () => {
    const { group, exited } = await start(
      backend,
      request({ TasksMax: '60' }),
      `exec perl -e '$SIG{CHLD} = "IGNORE"; while (1) { fork }'`,
    );
    await expect.poll(() => group.processes().length).toBeGreaterThan(20);
    await group.kill('SIGKILL');
    expect(group.processes()).toEqual([]);
    expect((await exited).signal).toBe('SIGKILL');
    await group.whenEmpty();
    expect(await group.remove()).toBe(true);
  });

  it('freeze stops CPU use, thaw lets it go on, and a frozen group can be killed', async () => {
    const { group, exited } = await start(backend, request(), 'while :; do :; done');
    const usage = () => Number(group.files.read('cpuacct', 'cpuacct.usage'));
    await group.freeze();
    expect(group.files.read('freezer', 'freezer.state')?.trim()).toBe('FROZEN');
    const frozen = usage();
    await sleep(300);
    expect(usage() - frozen).toBeLessThan(5e6);
    await group.thaw();
    await expect.poll(() => usage() - frozen).toBeGreaterThan(50e6);
    await group.freeze();
    await group.kill('SIGTERM');
    expect((await exited).signal).toBe('SIGTERM');
    expect(await group.remove()).toBe(true);
  });

  it('set raises and lowers memory with swap, quota with period, and tasks', async () => {
    const { group, exited } = await start(
      backend,
      request({ MemoryMax: '64M', MemorySwapMax: '16M', CPUQuota: '50%', TasksMax: '20' }),
      'sleep 60; true',
    );
    const files = () =>
      ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'].map(
        (f) => Number(group.files.read('memory', f)) / 2 ** 20,
      );
    const quota = () => ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((f) => Number(group.files.read('cpu', f)));
    expect(files()).toEqual([64, 80]);
    await group.set(asked({ MemoryMax: '256M' }));
    expect(files()).toEqual([256, 272]);
    await group.set(asked({ MemoryMax: '32M', MemorySwapMax: '0' }));
    expect(files()).toEqual([32, 32]);
    await group.set(asked({ MemorySwapMax: '32M' }));
    expect(files()).toEqual([32, 64]);
    expect(quota()).toEqual([50_000, 100_000]);
    await group.set(asked({ CPUQuotaPeriodSec: '10ms' }));
    expect(quota()).toEqual([5_000, 10_000]);
    await group.set(asked({ CPUQuota: '200%', CPUQuotaPeriodSec: '200ms' }));
    expect(quota()).toEqual([400_000, 200_000]);
    await group.set(asked({ TasksMax: 'infinity' }));
    expect(group.files.read('pids', 'pids.max')?.trim()).toBe('max');
    await expect(group.set(asked({ MemoryMax: '8K' }))).rejects.toMatchObject({ code: 'E_INPUT' });
    expect(files()).toEqual([32, 64]);
    await expect(group.set(asked({ AllowedCPUs: '0' }))).rejects.toMatchObject({ code: 'E_CONTROLLER' });
    await group.kill('SIGKILL');
    await exited;
    expect(await group.remove()).toBe(true);
  });

  it('a quota above that of the group above it is refused by the kernel, in words, and leaves nothing', async () => {
    const { group } = await start(backend, request({ CPUQuota: '50%' }, { unit: 'outer' }), 'sleep 60; true');
    const v1 = new Map([...ground.membership.v1].map(([c, path]) => [c, `${path}/outer.scope`] as const));
    const inner = cgroupBackend({ paths: HOST, uid: 0, layout: ground.layout, membership: { v2: undefined, v1 } });
    await expect(start(inner, request({ CPUQuota: '80%' }, { unit: 'inner' }), 'true')).rejects.toMatchObject({
      code: 'E_CGROUP',
      message: expect.stringMatching(/80000.*cpu\.cfs_quota_us.*EINVAL/),
      data: { path: expect.stringContaining('inner.scope/cpu.cfs_quota_us'), value: '80000' },
    });
    for (const c of ['cpu', 'memory', 'freezer'] as const)
      expect(existsSync(`${ground.folder(c)}/outer.scope/inner.scope`)).toBe(false);
    await group.kill('SIGKILL');
    expect(await group.remove()).toBe(true);
  });

  it('a device that the kernel refuses leaves no folder behind, and the process where it was', async () => {
    const wanted = request({ IOReadBandwidthMax: '/dev/null 1M' });
    await expect(backend.plan(wanted)).rejects.toMatchObject({ code: 'E_INPUT' });
    const plan = await backend.plan(request({}, { unit: 'bad' }));
    const bad = {
      do: 'write',
      path: `${ground.folder('blkio')}/bad.scope/blkio.throttle.read_bps_device`,
      text: '99:99 1',
    } as const;
    const { group, pid } = await start(backend, request({}, { unit: 'home' }), 'exec sleep 60');
    const home = read(`/proc/${pid}/cgroup`);
    await expect(backend.place({ ...plan, steps: [...plan.steps, bad] }, pid)).rejects.toMatchObject({
      code: 'E_CGROUP',
      message: expect.stringContaining('ENODEV'),
    });
    for (const c of ['cpu', 'memory', 'freezer', 'blkio', 'pids'] as const) {
      expect(existsSync(`${ground.folder(c)}/bad.scope`)).toBe(false);
    }
    expect(read(`/proc/${pid}/cgroup`)).toBe(home);
    await group.kill('SIGKILL');
    expect(await group.remove()).toBe(true);
  });

  it('refuses a name in use, and what slicectl did not make', async () => {
    const { group } = await start(backend, request({}, { unit: 'taken' }), 'sleep 60; true');
    await expect(backend.plan(request({}, { unit: 'taken.scope' }))).rejects.toMatchObject({ code: 'E_UNIT_EXISTS' });
    await group.kill('SIGKILL');
    await group.remove();
    mkdirSync(`${ground.folder('pids')}/foreign.scope`);
    await expect(backend.plan(request({}, { unit: 'foreign' }))).rejects.toMatchObject({ code: 'E_UNIT_EXISTS' });
    expect(await backend.sweep()).toEqual([]);
    expect(existsSync(`${ground.folder('pids')}/foreign.scope`)).toBe(true);
  });

  it('RuntimeMaxSec ends the job, and ending() says so', async () => {
    const { group, exited } = await start(
      backend,
      request({ RuntimeMaxSec: '2s', TimeoutStopSec: '2s' }),
      'trap "echo told" TERM; while :; do sleep 0.05; done',
    );
    const { signal, out } = await exited;
    expect(out).toContain('told');
    expect(signal).toBe('SIGKILL');
    expect(await group.ending()).toBe('timeout');
    expect(await group.remove()).toBe(true);
  });

  it('remove() leaves a group with processes, and takes those with groups that the job made itself', async () => {
    const inner = `${ground.folder('memory')}/nest.scope/inner/deeper`;
    const { group, exited } = await start(
      backend,
      request({}, { unit: 'nest' }),
      `mkdir -p ${inner}; echo $$ > ${inner}/cgroup.procs; sleep 60`,
    );
    await expect.poll(() => existsSync(inner)).toBe(true);
    expect(await group.remove()).toBe(false);
    await group.kill('SIGKILL');
    await exited;
    expect(await group.remove()).toBe(true);
    expect(existsSync(`${ground.folder('memory')}/nest.scope`)).toBe(false);
  });
});
