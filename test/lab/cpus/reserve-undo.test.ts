import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAlone, expectNoTrace, KERNEL_TOO, PAYLOAD, RESERVE } from './reservation.ts';
import { CpuLab, UNDO_MACHINES } from './support.ts';

const ROOT_SERVICE = `[Service]
Slice=-.slice
ExecStart=/usr/local/bin/busy busy-root 1
[Install]
WantedBy=multi-user.target
`;

describe.each(UNDO_MACHINES)('a reservation that is undone on $name', ({ name, systemd }) => {
  let lab: CpuLab;

  const change = async (...argv: string[]): Promise<string> => {
    const { stdout } = await lab.done(...argv);
    return /applied as change (\S+);/.exec(stdout)?.[1] ?? stdout;
  };

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'undone');
    for (const where of ['docker-cgroupfs', 'user', 'system.slice'] as const) await lab.busy(where);
    // Of the root slice, which no slice confines: with a file, by which a reservation knows it after a boot, too.
    await lab.write('/etc/systemd/system/busy-root.service', ROOT_SERVICE);
    await lab.out('systemctl daemon-reload; systemctl --quiet enable --now busy-root.service');
  });

  afterAll(() => lab?.down());

  it('as an isolated partition keeps everybody off by the kernel alone, over daemon-reload', async () => {
    const id = await change(...RESERVE, '--partition', 'isolated', '--runtime');
    expect(await lab.cpuset('/payload.slice')).toEqual({ asked: PAYLOAD, effective: PAYLOAD, partition: 'isolated' });
    await lab.busy('-.slice', { name: 'busy-looser' });
    await lab.busy('late.slice');
    await lab.out('systemctl daemon-reload');
    expect((await lab.cpuset('/payload.slice')).partition).toBe('isolated');
    if (systemd >= 261)
      expect(await lab.show('payload.slice', 'CPUSetPartition')).toEqual({ CPUSetPartition: 'isolated' });
    await expectAlone(lab);
    await lab.done('undo', id, '--yes');
    await expectNoTrace(lab);
    expect(await lab.out('cat /sys/fs/cgroup/cpuset.cpus.effective')).toBe('0-7');
  });

  let lasting = '';

  it('lasts over a boot', async () => {
    lasting = await change(...RESERVE, ...KERNEL_TOO);
    await expectAlone(lab);
    await lab.reboot();
    await lab.until('systemctl is-active slicectl-cpus.service');
    // Docker makes its group when it starts a container, and finds it there.
    expect((await lab.cpuset('/docker')).asked).toBe('0-3');
    await lab.busy('docker-cgroupfs', { name: 'busy-again' });
    for (const where of ['user', 'late.slice', 'system.slice'] as const) await lab.busy(where);
    expect((await lab.masks()).filter(({ cgroup }) => cgroup === '/busy-root.service')).toContainEqual(
      expect.objectContaining({ comm: 'busy', allowed: [0, 1, 2, 3] }),
    );
    await expectAlone(lab);
  });

  it('is found in order then, and a new service of the root slice is named', async () => {
    expect((await lab.slicectl(['cpus', 'audit', '--window', '1'])).code).toBe(0);
    // Services of the root slice are confined by their names, and this one is new.
    await lab.busy('-.slice', { name: 'busy-new' });
    const { code, stdout } = await lab.slicectl(['cpus', 'audit', '--window', '1']);
    expect([code, stdout]).toEqual([3, expect.stringContaining('busy-new.service')]);
  });

  it('is undone by its change from before that boot', async () => {
    await lab.done('undo', lasting, '--yes');
    await expectNoTrace(lab);
    await lab.out('systemctl stop busy-late.service; systemctl daemon-reload');
    await expectNoTrace(lab);
  });
});
