import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoFiles, strangers } from './reservation.ts';
import { CpuLab, ISOLCPUS_MACHINES } from './support.ts';

const ISOLATED = '6-7';
const PAYLOAD = '4-5';
const PINNED = ['/system.slice/pinned.service sleep'];
const RESERVE = ['cpus', 'reserve', '--for', 'payload.slice', '--yes', '--runtime'];

describe.each(ISOLCPUS_MACHINES)('a reservation beside isolcpus=6-7 on $name', ({ name }) => {
  let lab: CpuLab;

  const on = async (cpus: string): Promise<readonly string[]> => strangers(await lab.whoMayRunOn(cpus));

  /** Nobody but who is pinned there has those CPUs; also once systemd has given the controller up, and who starts then. */
  const expectIsolated = async (): Promise<void> => {
    expect(await on(ISOLATED)).toEqual(PINNED);
    // systemd looks at its groups when a unit comes.
    await lab.until(`systemd-run --quiet --wait true; ! grep -q cpuset /sys/fs/cgroup/cgroup.subtree_control`);
    await lab.busy('late.slice', { name: 'busy-late' });
    expect(await on(ISOLATED)).toEqual(PINNED);
    const pinned = (await lab.masks()).filter(({ cgroup }) => cgroup === '/system.slice/pinned.service');
    expect(pinned).toEqual([expect.objectContaining({ comm: 'sleep', allowed: [6] })]);
    const late = (await lab.masks()).filter(({ cgroup }) => cgroup.startsWith('/late.slice'));
    expect(late).toContainEqual(expect.objectContaining({ comm: 'busy', allowed: [0, 1, 2, 3, 4, 5] }));
    await lab.out('systemctl stop busy-late.service late.slice');
  };

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'isolated');
    for (const where of ['user', 'system.slice', 'login'] as const) await lab.busy(where);
    // As somebody does who isolates CPUs.
    await lab.out('systemd-run --quiet --unit=pinned taskset --cpu-list 6 sleep infinity');
    expect(await on(ISOLATED)).toEqual(PINNED);
  });

  afterAll(() => lab?.down());

  it('is refused of CPUs of both kinds', async () => {
    const { code, stdout, stderr } = await lab.slicectl([...RESERVE, '--cpus', '5-6']);
    expect([code, stdout + stderr]).toEqual([4, expect.stringContaining('isolcpus=')]);
  });

  it('keeps others off its CPUs and off the isolated ones, and says whom it takes from there', async () => {
    const { stdout } = await lab.done(...RESERVE, '--cpus', PAYLOAD);
    expect(stdout).toMatch(/pinned to CPUs of isolcpus=[^\n]*\n\s+pinned\.service: 1 thread on 6\n/);
    expect(await on(PAYLOAD)).toEqual([]);
    expect(await on(ISOLATED)).toEqual([]);
    expect((await lab.slicectl(['cpus', 'audit', '--window', '1'])).code).toBe(0);
  });

  it('leaves nobody on the isolated CPUs when it is released, also without the controller', async () => {
    await lab.done('cpus', 'release', 'payload.slice', '--yes');
    await expectNoFiles(lab);
    await expectIsolated();
  });

  it('leaves nobody there when it is undone', async () => {
    await lab.done(...RESERVE, '--cpus', PAYLOAD);
    await lab.done('undo', '--yes');
    await expectNoFiles(lab);
    await expectIsolated();
  });
});
