import { expect, it } from 'vitest';
import { insist } from '../../src/backend/systemd-insist.ts';
import { type LimitsInput, limits, valuesOf } from '../../src/core/limits.ts';
import type { CgroupLayout } from '../../src/host/cgroups.ts';
import { controlFilesV1, controlFilesV2 } from '../../src/host/control-files.ts';
import { describeWithBus } from '../fake/daemon.ts';
import { PrivateSystemd } from '../fake/private-systemd.ts';
import { fakeHost } from './fake-tree.ts';

const SLICE = 'app-slicectl_a.slice';

/** What systemd is asked for once more: properties by name, where the group has these files. */
async function insisted(
  input: LimitsInput,
  files: Readonly<Record<string, string>>,
  version: 1 | 2 = 2,
): Promise<readonly unknown[]> {
  await using systemd = await PrivateSystemd.open();
  systemd.unit(SLICE);
  const host = fakeHost(
    Object.fromEntries([
      ['cg/job/cgroup.controllers', 'cpuset cpu memory pids\n'],
      ...Object.entries(files).map(([name, text]) => [`cg/job/${name}`, `${text}\n`]),
    ]),
  );
  try {
    const hierarchy = { mount: `${host.root}/cg`, root: '/' };
    const layout: CgroupLayout = { mode: 'legacy', v2: undefined, v1: new Map([['cpuset', hierarchy]]) };
    const own =
      version === 2 ? controlFilesV2(hierarchy, '/job') : controlFilesV1(layout, new Map([['cpuset', '/job']]));
    const plan = {
      limits: valuesOf(limits(input, { memory: 2n ** 34n, tasks: 32768n, pageSize: 4096n })),
      devices: new Map<string, string>(),
      notes: [],
    };
    await insist(systemd.link, SLICE, own, plan);
    return systemd.fake.callsOf('SetUnitProperties').map(({ body: [unit, runtime, properties] }) => ({
      unit,
      runtime,
      properties: (properties as [string, { value: unknown }][]).map(([name, { value }]) => [
        name,
        value instanceof Uint8Array ? [...value] : value,
      ]),
    }));
  } finally {
    host.close();
  }
}

describeWithBus('limits of a new slice', () => {
  it('are set once more where a drop-in for all slices took their place, and only those', async () => {
    expect(
      await insisted(
        { AllowedCPUs: '6-7', MemoryMax: '64M' },
        { 'cpuset.cpus': '0-5', 'memory.max': `${64 * 1024 * 1024}` },
      ),
    ).toEqual([{ unit: SLICE, runtime: true, properties: [['AllowedCPUs', [0xc0]]] }]);
  });

  it('are left alone where the kernel holds them, in whatever words', async () => {
    expect(
      await insisted(
        { AllowedCPUs: '6,7', MemoryMax: '64M', TasksMax: '7' },
        { 'cpuset.cpus': '6-7', 'memory.max': `${64 * 1024 * 1024}`, 'pids.max': '7' },
      ),
    ).toEqual([]);
  });

  it('are left to the proof where the group has no such file', async () => {
    expect(await insisted({ AllowedCPUs: '6-7' }, {})).toEqual([]);
  });

  it('are set in one call where several were replaced', async () => {
    const [call] = await insisted({ AllowedCPUs: '6-7', TasksMax: '7' }, { 'cpuset.cpus': '', 'pids.max': 'max' });
    expect(call).toMatchObject({
      properties: [
        ['AllowedCPUs', [0xc0]],
        ['TasksMax', 7n],
      ],
    });
  });

  it('are not looked at on cgroup v1, where systemd rules no cpuset', async () => {
    expect(await insisted({ AllowedCPUs: '6-7' }, { 'cpuset.cpus': '0-5' }, 1)).toEqual([]);
  });
});
