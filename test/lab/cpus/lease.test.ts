import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chosen } from '../chosen.ts';
import { CpuLab } from './support.ts';

const MACHINES = ['v2-257', 'v2-262', 'v2-252'].filter((name, at) => chosen?.includes(name) ?? at === 0);
const V1_MACHINES = ['v1-252'].filter((name) => chosen?.includes(name) ?? true);

/** Prints on which CPUs it may run, and becomes the command given. */
const ALLOWED = `#!/bin/sh
sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status
exec "$@"
`;

const open = async (name: string): Promise<CpuLab> => {
  const lab = await CpuLab.open(name, 'lease');
  await lab.out('cat >/usr/local/bin/allowed; chmod 755 /usr/local/bin/allowed', { input: ALLOWED });
  return lab;
};

interface Shown {
  readonly cpus: string;
  readonly unit: string | null;
  readonly cgroup: string | null;
  readonly reservation: string | null;
}

const shown = async (lab: CpuLab): Promise<readonly Shown[]> =>
  JSON.parse(await lab.out('slicectl cpus show --json')).leases;

/** Ends every slicectl that has a lease, by SIGKILL. */
const KILL_MAKERS = `for file in /run/slicectl/leases/*.json; do
  kill -KILL "$(sed -n 's/^  "pid": \\([0-9]*\\),/\\1/p' "$file")"
done`;

/** A job in a cpuset group that outlives its slicectl, with its lease. */
async function expectPlainLease(lab: CpuLab, backend: string, cpus: readonly [string, string]): Promise<void> {
  const start = `systemd-run --quiet --scope --property=Delegate=yes slicectl run --backend ${backend}`;
  await lab.out(`(${start} --exclusive 1 -- allowed sleep infinity >/tmp/plain.out 2>&1 </dev/null &)
    until grep -q '^[0-9]' /tmp/plain.out; do sleep 0.2; done
    ${KILL_MAKERS}`);
  expect(await lab.out("grep '^[0-9]' /tmp/plain.out")).toBe(cpus[0]);
  expect(await lab.out(`${start} --quiet --exclusive 1 -- allowed true`)).toBe(cpus[1]);
  expect(await shown(lab)).toEqual([
    expect.objectContaining({ cpus: cpus[0], cgroup: expect.stringMatching(/\/slicectl_[^/]+\.scope$/) }),
  ]);
  await lab.out('pkill -x sleep; while pgrep -x sleep >/dev/null; do sleep 0.1; done');
  expect(await shown(lab)).toEqual([]);
}

describe.each(MACHINES)('leases of cores on %s', (name) => {
  let lab: CpuLab;
  beforeAll(async () => {
    lab = await open(name);
  });
  afterAll(() => lab?.down());

  it('give four of eight that ask at once a core of four, and name the holders to the others', async () => {
    await lab.out(
      `for n in 1 2 3 4 5 6 7 8; do
         kind=
         [ $n -gt 4 ] || kind='--service --wait'
         (slicectl run --exclusive 1 --receipt none --unit job$n $kind -- allowed sleep infinity >/tmp/$n.out 2>/tmp/$n.err </dev/null; touch /tmp/$n.done) >/dev/null 2>&1 &
       done
       until [ "$(ls /tmp/*.done 2>/dev/null | wc -l)" = 4 ] && [ "$(cat /tmp/*.out | wc -l)" = 4 ]; do sleep 0.5; done`,
      { timeoutMs: 600_000 },
    );
    expect((await lab.out('sort /tmp/*.out')).split('\n')).toEqual(['0', '1', '2', '3']);
    const refusals = (await lab.out('grep -h "none is free" /tmp/*.err')).split('\n');
    expect(refusals).toHaveLength(4);
    for (const line of refusals)
      expect(line).toMatch(/CPUs 3 leased by (?:job\d\.(?:scope|service)|process \d+) \(allowed\)/);
  });

  it('hold when slicectl is killed, and are shown, as long as the job runs', async () => {
    const before = await shown(lab);
    expect(before.map(({ cpus }) => cpus)).toEqual(['0', '1', '2', '3']);
    await lab.out(KILL_MAKERS);
    expect((await shown(lab)).map(({ cpus, unit }) => [cpus, unit])).toEqual(
      before.map(({ cpus, unit }) => [cpus, unit]),
    );
    expect((await lab.sh('slicectl run --exclusive 1 -- true')).code).toBe(125);
  });

  it('are free when the jobs of killed ones have ended, and a sweep removes them', async () => {
    await lab.out(`systemctl stop 'job*'
      while systemctl list-units --plain --no-legend 'job*' | grep -q .; do sleep 0.2; done`);
    expect(await shown(lab)).toEqual([]);
    expect(await lab.out('slicectl sweep')).toContain('lease of CPUs 3');
    expect(await lab.out('ls /run/slicectl/leases')).toBe('lock');
  });

  it('are cpuset groups beside systemd', async () => {
    await expectPlainLease(lab, 'cgroup-v2', ['3', '2']);
  });

  it('are refused to a user without the cpuset controller, and given with it', async () => {
    const run = `slicectl run --user --quiet --exclusive 1 -- allowed true`;
    const { code, stderr } = await lab.sh(run, { user: 'alice' });
    expect([code, stderr]).toEqual([
      125,
      expect.stringContaining('the cpuset controller is not delegated to the user manager'),
    ]);
    await lab.write(
      '/etc/systemd/system/user@.service.d/delegate.conf',
      '[Service]\nDelegate=cpu cpuset io memory pids\n',
    );
    await lab.out('systemctl daemon-reload; systemctl restart user@1000.service');
    expect(await lab.out(run, { user: 'alice' })).toBe('3');
    expect(await lab.out('ls /run/user/1000/slicectl/leases')).toBe('lock');
  });

  it('are inside a reservation where one is named, and outside of it else', async () => {
    await lab.done('cpus', 'reserve', '--cpus', '2-3', '--for', 'payload.slice', '--runtime', '--yes');
    const inside = '--exclusive 1 --reservation payload.slice --service --quiet --unit';
    await lab.out(
      `for NAME in 1 2; do slicectl run ${inside} in$NAME -- sh -c "exec allowed sleep infinity >/tmp/in$NAME" & done; wait
       until [ -s /tmp/in1 ] && [ -s /tmp/in2 ]; do sleep 0.2; done`,
    );
    expect(await lab.out('sort /tmp/in1 /tmp/in2')).toBe('2\n3');
    const { code, stderr } = await lab.sh(`slicectl run ${inside} in3 -- true`);
    expect([code, stderr]).toEqual([125, expect.stringContaining('none is free in the reservation for payload.slice')]);
    expect(await lab.out(`slicectl run --quiet --exclusive 2 -- allowed true`)).toBe('0-1');
    expect((await shown(lab)).map(({ cpus, reservation, cgroup }) => [cpus, reservation, cgroup])).toEqual([
      ['2', 'payload.slice', expect.stringMatching(/^\/payload\.slice\//)],
      ['3', 'payload.slice', expect.stringMatching(/^\/payload\.slice\//)],
    ]);
  });
});

describe.each(V1_MACHINES)('leases of cores on %s', (name) => {
  let lab: CpuLab;
  beforeAll(async () => {
    lab = await open(name);
  });
  afterAll(() => lab?.down());

  it('are refused with the way beside systemd, which does not rule cpuset there', async () => {
    const { code, stderr } = await lab.sh('slicectl run --exclusive 1 -- true');
    expect([code, stderr]).toEqual([125, expect.stringContaining('slicectl run --exclusive N --backend cgroup-v1')]);
  });

  it('are cpuset groups beside systemd', async () => {
    await expectPlainLease(lab, 'cgroup-v1', ['3', '2']);
  });
});
