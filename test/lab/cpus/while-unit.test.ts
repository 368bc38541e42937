import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chosen } from '../chosen.ts';
import { CpuLab } from './support.ts';

const MACHINES = ['v2-257', 'v2-262', 'v2-252'].filter((name, at) => chosen?.includes(name) ?? at === 0);

const SYSTEM = '0-2';
const PAYLOAD = '3';
const RESERVE = `slicectl cpus reserve --cpus ${PAYLOAD} --for vm_db.slice --yes --while-unit`;
const RECORD = '/run/slicectl/reservations/vm_db.slice.conf';
const SERVICE = 'slicectl-while-vm_db.service';
const PID = '/run/libvirt/qemu/db.pid';
const HOOK = '/etc/libvirt/hooks/qemu';

const HOOKS = join(import.meta.dirname, '../../../contrib/hooks');
const DB_SERVICE = `[Service]
ExecStart=/usr/bin/sleep infinity
Restart=on-failure
TimeoutStartSec=600
`;

/** The scope that machined makes for the guest db that is the nth to start. */
const scope = (nth: number): string => `machine-qemu\\x2d${nth}\\x2ddb.scope`;

describe.each(MACHINES)('a reservation while a unit runs on %s', (name) => {
  let lab: CpuLab;

  /** A process that stands for qemu, in the slice of its partition and where libvirt puts it there. */
  const start = (nth: number): Promise<string> =>
    lab.out(`mkdir -p /run/libvirt/qemu
      systemd-run --quiet --scope --slice=vm_db.slice --property=Delegate=yes --unit='${scope(nth)}' sleep infinity >/dev/null 2>&1 </dev/null &
      echo $! >${PID}
      until systemctl is-active --quiet '${scope(nth)}'; do sleep 0.2; done
      group='/sys/fs/cgroup/vm_db.slice/${scope(nth)}/libvirt/emulator'
      mkdir -p "$group"; cat ${PID} >"$group/cgroup.procs"`);
  const hook = (...argv: string[]): Promise<string> =>
    lab.out(`env -i PATH="$PATH" ${HOOK} db ${argv.join(' ')} -`, {
      input: '<domain type="kvm"><name>db</name></domain>',
    });
  const changes = (): Promise<string> => lab.out('ls /var/lib/slicectl/journal 2>/dev/null | grep -cv lock; true');
  const guestMask = (): Promise<string> => lab.out(`sed -n 's/^Cpus_allowed_list:\\t//p' /proc/$(cat ${PID})/status`);
  const released = (): Promise<void> =>
    lab.until(`test "$(systemctl show --property=ActiveState --value ${SERVICE})" = inactive`);

  const expectHeld = async (): Promise<void> => {
    const users = (await lab.masks()).filter(({ kind }) => kind === 'user');
    const wide = users.filter(({ cgroup, allowed }) => !cgroup.startsWith('/vm_db.slice') && allowed.includes(3));
    expect(wide).toEqual([]);
    expect(await guestMask()).toBe(PAYLOAD);
    expect((await lab.cpuset('/system.slice')).effective).toBe(SYSTEM);
    expect(await lab.out(`systemctl is-active ${SERVICE}`)).toBe('active');
  };
  const expectNothing = async (): Promise<void> => {
    const files = `find /etc/systemd /run/systemd /run/slicectl/reservations /etc/slicectl/reservations -type f 2>/dev/null | grep -E 'slicectl|50-Allowed'`;
    expect(await lab.out(`${files}; systemctl list-units --all --plain --no-legend 'slicectl-*'`)).toBe('');
    const users = (await lab.masks()).filter(({ kind }) => kind === 'user');
    expect(users.filter(({ allowed }) => allowed.length < 4)).toEqual([]);
  };

  beforeAll(async () => {
    lab = await CpuLab.open(name, 'while');
    await lab.out('mkdir -p /etc/libvirt/hooks');
    await lab.push(join(HOOKS, 'libvirt-qemu'), HOOK);
    await lab.out(`chmod 755 ${HOOK}`);
    await lab.write('/etc/slicectl/guests/db', `--cpus\n${PAYLOAD}\n--for\nvm_db.slice\n`);
  });
  afterAll(() => lab?.down());

  it('is refused where that does not run', async () => {
    const { code, stdout } = await lab.sh(`${RESERVE} gone.scope`);
    expect([code, stdout]).toEqual([4, expect.stringContaining('gone.scope does not run')]);
    await expectNothing();
  });

  it('is made by the hook of libvirt when a guest has started, and once', async () => {
    await start(1);
    for (const state of ['prepare begin', 'start begin']) await hook(state);
    expect(await changes()).toBe('0');
    await hook('started begin');
    await expectHeld();
    await hook('started begin');
    expect(await changes()).toBe('1');
  });

  it('goes by release while the guest runs, and comes back by undo', async () => {
    await lab.done('cpus', 'release', 'vm_db.slice', '--yes');
    expect(await guestMask()).toBe('0-3');
    await expectNothing();
    await lab.done('undo', '--yes');
    await expectHeld();
  });

  it('is given back when the guest crashes and then the slicectl that gives it back', async () => {
    await lab.out(`kill -KILL $(cat ${PID})
      while [ -e ${RECORD} ]; do sleep 0.1; done
      kill -KILL "$(systemctl show --property=ControlPID --value ${SERVICE})"`);
    await hook('release end');
    await released();
    await expectNothing();
  });

  it('is given back when the guest is stopped, though slicectl was killed half way', async () => {
    await start(2);
    await lab.out(`${RESERVE} '${scope(2)}' >/dev/null 2>&1 </dev/null & reserve=$!
      until [ "$(cat /sys/fs/cgroup/init.scope/cpuset.cpus 2>/dev/null)" = ${SYSTEM} ]; do sleep 0.1; done
      kill -KILL $reserve
      systemctl stop '${scope(2)}'`);
    await released();
    await expectNothing();
  });

  it('is kept for a service of the drop-in over a crash that Restart= mends, and given back when it is stopped', async () => {
    const dropIn = readFileSync(join(HOOKS, 'while-unit.conf'), 'utf8');
    const mine = dropIn.replaceAll('db.slice', 'vm_db.slice').replace('--cpus 2-3,6-7', `--cpus ${PAYLOAD}`);
    expect(mine).not.toBe(dropIn);
    await lab.write('/etc/systemd/system/db.service.d/while-unit.conf', mine);
    await lab.write('/etc/systemd/system/db.service', DB_SERVICE);
    const main = `systemctl show --property=MainPID --value db.service >${PID}`;
    await lab.out(`systemctl daemon-reload; systemctl start db.service; ${main}`, { timeoutMs: 300_000 });
    await expectHeld();
    await lab.out(`kill -SEGV $(cat ${PID})`);
    await lab.until(
      'test "$(systemctl show --property=NRestarts,ActiveState --value db.service | xargs)" = "1 active"',
    );
    await lab.until(`systemctl is-active --quiet ${SERVICE}`);
    await lab.out(main);
    await expectHeld();
    await lab.out('systemctl stop db.service');
    await released();
    await expectNothing();
  });
});
