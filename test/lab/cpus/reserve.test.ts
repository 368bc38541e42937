import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAlone, expectNoTrace, KERNEL_TOO, PAYLOAD, RESERVE, SYSTEM, strangers } from './reservation.ts';
import { CpuLab, EVERYWHERE, NUMA_MACHINES } from './support.ts';

/** Lines of devices that the kernel lets be moved, each with its CPUs; but for 0, the timer. */
const MOVABLE_LINES = `for line in [1-9]*; do
  ls -d $line/*/ >/dev/null 2>&1 && [ -n "$(find $line/smp_affinity_list -perm -200)" ] && echo "$line $(cat $line/smp_affinity_list)"
done; true`;

describe.each(NUMA_MACHINES)('a reservation of node 1 on $name', ({ name }) => {
  let lab: CpuLab;
  const groups: string[] = [];

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'reserve');
    // Docker starts slowly, and more so beside busy loops.
    for (const where of EVERYWHERE.toReversed()) groups.push((await lab.busy(where)).cgroup);
    await lab.out('systemctl start irqbalance.service');
  });

  afterAll(() => lab.down());

  it('begins with everybody everywhere', async () => {
    const everywhere = new Set(strangers(await lab.whoMayRunOn(PAYLOAD)).map((line) => line.split(' ')[1]));
    expect(everywhere).toContain('busy');
    expect(everywhere).toContain('systemd');
    expect(groups.map((path) => path.replace(/[0-9a-f]{64}/, 'ID'))).toEqual([
      '/docker/ID',
      '/system.slice/docker-ID.scope',
      '/machine.slice/busy-machine.service',
      '/busy-root.service',
      '/user.slice/user-1000.slice/user@1000.service/app.slice/busy-manager.service',
      expect.stringMatching(/^\/user\.slice\/user-1000\.slice\/session-c?\d+\.scope$/),
      '/user.slice/busy-user.service',
      '/system.slice/busy-system.service',
    ]);
    expect((await lab.sh(`dmesg | grep -iE 'rcu.*stall|soft lockup|hung task'`)).stdout).toBe('');
  });

  it('says what it would do, and does nothing', async () => {
    const { stdout } = await lab.done(...RESERVE, ...KERNEL_TOO, '--dry-run');
    expect(stdout).toContain(`payload CPUs ${PAYLOAD}`);
    expect(stdout).toContain('busy-root.service');
    await expectNoTrace(lab);
  });

  it('keeps services, users, sessions, machines, containers of both drivers and services of the root slice off', async () => {
    await lab.done(...RESERVE, ...KERNEL_TOO);
    await expectAlone(lab);
    expect(await lab.cpuset('/system.slice')).toMatchObject({ asked: SYSTEM, effective: SYSTEM });
    expect(await lab.cpuset('/payload.slice')).toMatchObject({ asked: PAYLOAD, effective: PAYLOAD });
  });

  it('keeps interrupts, workers and kernel threads off where the kernel lets it', async () => {
    const others = (await lab.whoMayRunOn(PAYLOAD)).filter(({ kind }) => kind !== 'user');
    expect(others.filter(({ kind }) => kind === 'movable').map(({ comm }) => comm)).toEqual([]);
    expect(await lab.out('cat /sys/devices/virtual/workqueue/cpumask /proc/irq/default_smp_affinity')).toMatch(
      /^0*f\n0*f$/,
    );
  });

  it('tells irqbalance, which moves lines among system CPUs from then on', async () => {
    const environment = await lab.out(`tr '\\0' '\\n' </proc/$(systemctl show -P MainPID irqbalance)/environ`);
    expect(environment.split('\n')).toContain(`IRQBALANCE_BANNED_CPULIST=${PAYLOAD}`);
    // It looks at all lines every ten seconds.
    const lines = await lab.out(
      `sleep 25; systemctl is-active --quiet irqbalance || exit; cd /proc/irq; ${MOVABLE_LINES}`,
    );
    expect(lines.split('\n').filter((line) => /[4-7]/.test(line.split(' ')[1] ?? ''))).toEqual([]);
    expect(lines.split('\n').length).toBeGreaterThan(5);
  });

  it('has nothing to do a second time', async () => {
    expect((await lab.done(...RESERVE, ...KERNEL_TOO)).stdout).toContain('nothing to do');
  });

  it('holds for slices, services and sessions made afterwards, and over daemon-reload', async () => {
    await lab.busy('late.slice');
    await lab.busy('system.slice', { name: 'busy-later' });
    await lab.out('systemctl daemon-reload');
    await lab.busy('system.slice', { name: 'busy-last' });
    await expectAlone(lab);
  });

  it('gives the payload its CPUs', async () => {
    const { pids } = await lab.busy('payload.slice', { loops: 4, flat: true });
    const own = (await lab.masks()).filter(({ pid }) => pids.includes(pid));
    expect(own.map(({ allowed }) => allowed.join())).toEqual(pids.map(() => '4,5,6,7'));
    const shares = await lab.busyShares(5);
    for (const cpu of [4, 5, 6, 7]) expect(shares[cpu]).toBeGreaterThan(0.5);
    await lab.out(`systemctl stop busy-payload.service`);
  });

  it('is found in order by an audit, with who ran there', async () => {
    const { stdout, stderr, code } = await lab.slicectl(['cpus', 'audit']);
    expect(`${stdout}${stderr}`).toContain(`payload CPUs ${PAYLOAD}`);
    expect(code, stdout).toBe(0);
  });

  it('is found broken when somebody reverts it, and mended', async () => {
    await lab.out(
      'systemctl revert system.slice user.slice; rm -r /etc/systemd/system/slice.d; systemctl daemon-reload',
    );
    await lab.busy('system.slice', { name: 'busy-reverted' });
    const { code, stdout } = await lab.slicectl(['cpus', 'audit', '--window', '0']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/slice\.d\/.*slicectl/);
    await lab.done('cpus', 'audit', '--window', '0', '--fix', '--yes');
    await expectAlone(lab);
  });

  it('holds after a boot, from the first process on, with what systemd cannot keep by itself', async () => {
    await lab.reboot();
    await lab.until('systemctl is-active slicectl-cpus.service');
    for (const where of ['system.slice', 'user', 'late.slice'] as const) await lab.busy(where);
    await expectAlone(lab);
    const others = (await lab.whoMayRunOn(PAYLOAD)).filter(({ kind }) => kind === 'movable');
    expect(others.map(({ comm }) => comm)).toEqual([]);
    expect((await lab.slicectl(['cpus', 'audit', '--window', '0'])).code).toBe(0);
  });

  it('is released without a trace, and no process stays narrow', async () => {
    await lab.done('cpus', 'release', 'payload.slice', '--yes');
    await expectNoTrace(lab);
    expect(await lab.out('cat /sys/devices/virtual/workqueue/cpumask /proc/irq/default_smp_affinity')).toMatch(
      /^0*ff\n0*ff$/,
    );
    await lab.out('systemctl stop busy-late.service; systemctl daemon-reload');
    await expectNoTrace(lab);
  });

  it('as a partition keeps everybody off by the kernel alone, and is undone', async () => {
    await lab.busy('-.slice', { name: 'busy-loose' });
    await lab.done(...RESERVE, '--partition', 'isolated', '--runtime');
    expect((await lab.cpuset('/payload.slice')).partition).toBe('isolated');
    await lab.busy('-.slice', { name: 'busy-looser' });
    await expectAlone(lab);
    // Its group goes with it, and comes back as none until somebody says so.
    await lab.out('systemctl stop payload.slice');
    await lab.busy('payload.slice');
    await lab.until('grep -qx isolated /sys/fs/cgroup/payload.slice/cpuset.cpus.partition');
    await lab.out('systemctl stop busy-payload.service');
    await lab.until('test "$(systemctl show -P ActiveState slicectl-cpus-again.service)" = inactive');
    await expectAlone(lab);
    await lab.done('undo', '--yes');
    await expectNoTrace(lab);
    expect(await lab.out('cat /sys/fs/cgroup/cpuset.cpus.effective')).toBe('0-7');
  });
});
