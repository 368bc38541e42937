import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chosen } from '../chosen.ts';
import { CpuLab } from './support.ts';

const MACHINES = ['v2-257', 'v2-262', 'v2-252'].filter((name, at) => chosen?.includes(name) ?? at === 0);

const PAYLOAD = '2-3';
const EVENTS = '/run/watch.json';

interface Finding {
  readonly kind: string;
  readonly severity: string;
  readonly subject: string;
  readonly cause: string;
}

describe.each(MACHINES)('what others do to CPUs on %s', (name) => {
  let lab: CpuLab;

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'trouble');
  });
  afterAll(() => lab?.down());

  const findings = async (): Promise<readonly Finding[]> => {
    const { stdout } = await lab.slicectl(['cpus', 'audit', '--window', '0', '--json']);
    return JSON.parse(stdout).findings;
  };
  /** CPUs of the main processes of services, `-` for one that may use all. */
  const masksOf = async (...units: readonly string[]): Promise<readonly string[]> => {
    const text = await lab.out(
      `for unit in ${units.join(' ')}; do taskset -cp $(systemctl show -P MainPID $unit) | sed 's/.*: //'; done`,
    );
    return text.split('\n');
  };
  const told = (state: 'wrong' | 'right', subject: string): Promise<void> =>
    lab.until(`grep -q '"state":"${state}".*"subject":"${subject}"' ${EVENTS}`);

  it('processes that an earlier experiment left narrow are found without any reservation, and widened', async () => {
    await lab.out(`systemd-run --quiet --unit=one sleep infinity; systemd-run --quiet --unit=two sleep infinity
      systemctl set-property --runtime system.slice AllowedCPUs=0-1
      systemctl revert system.slice; systemctl daemon-reload
      systemd-run --quiet --wait true`);
    expect(await masksOf('one', 'two')).toEqual(['0,1', '0,1']);
    expect(await findings()).toContainEqual(
      expect.objectContaining({
        kind: 'ghost-mask',
        severity: 'drift',
        subject: 'system.slice',
        cause: expect.stringContaining('systemctl revert'),
      }),
    );
    await lab.done('cpus', 'audit', '--fix', '--yes');
    expect(await masksOf('one', 'two')).toEqual(['0-3', '0-3']);
    await lab.out('systemctl daemon-reload; systemd-run --quiet --wait true');
    expect(await masksOf('one', 'two')).toEqual(['0-3', '0-3']);
  });

  it('a group behind the back of systemd, a written cpuset and a controller that is taken away are told while they come and go', async () => {
    await lab.write('/etc/systemd/system/user.slice.d/override.conf', '[Slice]\nAllowedCPUs=0-2\n');
    await lab.write('/etc/systemd/system/pay.slice.d/override.conf', '[Slice]\nAllowedCPUs=1\n');
    await lab.out('systemctl daemon-reload');
    const { stdout } = await lab.done('cpus', 'reserve', '--cpus', PAYLOAD, '--for', 'pay.slice', '--yes');
    expect(stdout).toContain('pay.slice has CPUs of its own, 1, which its reservation replaces');
    // What systemctl edit wrote is read before the files of the reservation.
    await lab.out('systemctl daemon-reload; systemctl set-property --runtime user.slice CPUWeight=90');
    expect((await lab.cpuset('/user.slice')).asked).toBe('0-1');
    expect((await lab.cpuset('/pay.slice')).asked).toBe(PAYLOAD);
    await lab.out(`mkdir /sys/fs/cgroup/alien
      sleep infinity >/dev/null 2>&1 & echo $! >/sys/fs/cgroup/alien/cgroup.procs
      systemd-run --quiet --unit=watching --property=RemainAfterExit=yes --property=StandardOutput=file:${EVENTS} \\
        slicectl cpus audit --watch --json`);
    await told('wrong', '/alien');
    await lab.out('echo 0-3 >/sys/fs/cgroup/system.slice/cpuset.cpus');
    await told('wrong', 'system.slice');
    expect(await masksOf('one')).toEqual(['0-3']);
    await lab.done('cpus', 'audit', '--fix', '--yes');
    await told('right', 'system.slice');
    await told('right', '/alien');
    expect(await masksOf('one')).toEqual(['0,1']);
    expect(await lab.out('taskset -cp $(cat /sys/fs/cgroup/alien/cgroup.procs)')).toMatch(/: 0,1$/);

    await lab.out(`: >${EVENTS}
      find /sys/fs/cgroup -depth -name cgroup.subtree_control | while read -r file; do echo -cpuset >$file || exit; done`);
    expect((await lab.cpuset('/system.slice')).asked).toBeUndefined();
    await told('wrong', 'system.slice');
    await lab.done('cpus', 'audit', '--fix', '--yes');
    await told('right', 'system.slice');
    expect((await lab.cpuset('/system.slice')).effective).toBe('0-1');
    expect((await lab.cpuset('/alien')).effective).toBe('0-1');
    // With all right at last, a watch ends with 0.
    const events = (state: string) => `$(grep -ac '"state":"${state}"' ${EVENTS})`;
    await lab.until(`test ${events('wrong')} = ${events('right')}`);

    await lab.out('systemctl kill --signal=INT watching');
    await lab.until('test "$(systemctl show -P SubState watching)" = exited');
    expect(await lab.out('systemctl show -P ExecMainStatus watching')).toBe('0');
  });

  it('payload is left in peace by an audit and by a measurement, which goes where the payload is', async () => {
    await lab.busy('pay.slice', { loops: 2, flat: true });
    const { stdout, code } = await lab.slicectl(['cpus', 'audit', '--json']);
    expect(code, stdout).toBe(0);
    const shares: readonly { cpu: number; tasksMs: number }[] = JSON.parse(stdout).activity.cpus;
    expect(shares.map(({ cpu }) => cpu)).toEqual([2, 3]);
    for (const { tasksMs } of shares) expect(tasksMs).toBeGreaterThan(0);
    await lab.out('systemctl stop busy-pay.service');
    const measured = JSON.parse((await lab.done('cpus', 'audit', '--measure', '2', '--json')).stdout);
    expect(measured.cpus).toMatchObject([
      { cpu: 0, role: 'system' },
      { cpu: 1, role: 'system' },
      { cpu: 2, role: 'payload', cgroup: expect.stringMatching(/^\/pay\.slice\//), allowed: [2] },
      { cpu: 3, role: 'payload', cgroup: expect.stringMatching(/^\/pay\.slice\//), allowed: [3] },
    ]);
    for (const { late } of measured.cpus) expect(late.count).toBeGreaterThan(0);
  });

  it('all is as before when it is released', async () => {
    await lab.done('cpus', 'release', 'pay.slice', '--yes');
    expect(await masksOf('one', 'two')).toEqual(['0-3', '0-3']);
    expect(await lab.out('taskset -cp $(cat /sys/fs/cgroup/alien/cgroup.procs)')).toMatch(/: 0-3$/);
    await lab.out('systemctl daemon-reload; systemctl set-property --runtime user.slice CPUWeight=80');
    expect((await lab.cpuset('/user.slice')).asked).toBe('0-2');
    expect(await findings()).toEqual([]);
  });

  it.runIf(name === 'v2-257')('CPUs that kernel 6.12 lost with a partition come back', async () => {
    // Of a partition that is in force, then overlapped, and shrunk.
    await lab.out(`systemd-run --quiet --slice=part.slice --unit=part sleep infinity
      systemctl set-property --runtime part.slice AllowedCPUs=2-3
      for file in /sys/fs/cgroup/*/cpuset.cpus; do
        case $file in */part.slice/*) ;; *) echo 0-1 >$file ;; esac
      done
      systemctl set-property --runtime system.slice AllowedCPUs=0-1
      echo isolated >/sys/fs/cgroup/part.slice/cpuset.cpus.partition
      systemctl set-property --runtime system.slice AllowedCPUs=0-1,3
      echo 2 >/sys/fs/cgroup/part.slice/cpuset.cpus
      systemctl set-property --runtime system.slice AllowedCPUs=0-1
      echo member >/sys/fs/cgroup/part.slice/cpuset.cpus.partition
      systemctl stop part.service part.slice`);
    const root = () => lab.out('cat /sys/fs/cgroup/cpuset.cpus.effective');
    expect(await root()).toBe('0-2');
    expect(await findings()).toContainEqual(
      expect.objectContaining({ kind: 'isolated-leak', severity: 'drift', subject: 'CPUs 3' }),
    );
    await lab.done('cpus', 'audit', '--window', '0', '--fix', '--yes');
    expect(await root()).toBe('0-3');
    expect((await lab.cpuset('/system.slice')).asked).toBe('0-1');
  });
});
