import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, Lab } from './support.ts';

const ALICE = { user: 'alice' };

describe.each(CONTAINERS)('the user manager on $name', ({ name }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(name, 'user');
  });

  it('has the jobs of everybody but root, in app.slice', async () => {
    const { stdout, receipt } = await lab.receipt(['--', 'tail', '-1', '/proc/self/cgroup'], ALICE);
    const place = String.raw`/user\.slice/user-1000\.slice/user@1000\.service/app\.slice/app-slicectl_[0-9a-z_]+\.slice`;
    expect(stdout).toMatch(new RegExp(`^0::${place}/slicectl_[0-9a-z_]+\\.scope$`, 'm'));
    expect(receipt.cgroup).toMatch(new RegExp(`^${place}$`));
    expect(receipt.cpu.usageUsec).toBeGreaterThan(0);
    expect(await lab.leftovers()).toBe('');
  });

  it('is found without the variable of its address, by the runtime folder or the user id', async () => {
    const { code } = await lab.sh(
      'env -u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR slicectl run -- sh -c "exit 3"',
      ALICE,
    );
    expect(code).toBe(3);
  });

  it('that cannot be reached is E_NO_BUS with the path and the cure, not a word about other people’s groups', async () => {
    for (const env of [
      'DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus',
      '-u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/nonexistent',
    ]) {
      const { code, stderr } = await lab.sh(`env ${env} slicectl run -- touch /tmp/no-bus`, ALICE);
      expect(code).toBe(125);
      expect(stderr).toBe(
        'slicectl: no message bus answers ("/nonexistent/bus": no such socket); is systemd running here? A user bus needs a login session or lingering: loginctl enable-linger\n',
      );
    }
    await lab.out('test ! -e /tmp/no-bus');
  });

  it('of root without a session is E_NO_BUS too', async () => {
    const { code, stderr } = await lab.sh(
      'env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/run/user/4242 slicectl run --user -- true',
    );
    expect(code).toBe(125);
    expect(stderr).toContain('no message bus answers ("/run/user/4242/bus": no such socket)');
  });

  it('is the cure that --system of a user names', async () => {
    const { code, stderr } = await lab.run(['--system', '--', 'true'], ALICE);
    expect(code).toBe(125);
    expect(stderr).toContain('refused StartTransientUnit');
    expect(stderr).toContain('run as root, or use your own user manager');
    expect(await lab.leftovers()).toBe('');
  });

  it('holds no AllowedCPUs without the cpuset controller, which is said before anything runs', async () => {
    const { code, stderr } = await lab.run(['--cpus', '0', '--', 'touch', '/tmp/alice-ran'], ALICE);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^slicectl: AllowedCPUs=0 is not in force: the cpuset controller [^\n]+--best-effort\n$/);
    await lab.out('test ! -e /tmp/alice-ran');
    expect(await lab.leftovers()).toBe('');
  });

  it('has a delegated scope in which plain cgroups may be used, and nowhere else', async () => {
    const plain = 'slicectl run --backend cgroup-v2';
    const outside = await lab.sh(`${plain} -- true`, ALICE);
    expect(outside.code).toBe(125);
    expect(outside.stderr).toContain('belongs to the running systemd and is not delegated to us');
    expect(outside.stderr).toContain('systemd-run --user --scope -p Delegate=yes slicectl');
    const delegated = 'systemd-run --user --scope --quiet -p Delegate=yes';
    const inside = await lab.sh(`${delegated} ${plain} -- tail -1 /proc/self/cgroup`, ALICE);
    expect(inside).toMatchObject({ code: 0 });
    expect(inside.stdout).toMatch(/\/user@1000\.service\/app\.slice\/run-[^/]+\.scope\/slicectl_[0-9a-z_]+\.scope\n$/);
    const limited = await lab.sh(`${delegated} ${plain} --memory 64M -- touch /tmp/alice-ran`, ALICE);
    expect(limited.code).toBe(125);
    expect(limited.stderr).toContain('MemoryMax=64M cannot be held here: memory is not in ');
    await lab.out('test ! -e /tmp/alice-ran');
    expect(await lab.leftovers()).toBe('');
  });
});
