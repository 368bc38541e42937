import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DOCKER_MACHINES, DriverLab } from './support.ts';

/** Of Debian 12's crun one limit is raised that not every host lets its root raise; runc leaves it. */
const PODMAN = 'podman --runtime runc';
const IMPORT = 'podman image exists busybox || podman import --quiet /usr/local/share/lab/busybox.tar busybox';
const MANAGER = `podman info --format '{{.Host.CgroupManager}}'`;

describe.each(DOCKER_MACHINES)('podman on $name', ({ name }) => {
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'podman');
  });

  afterAll(() => lab.down());

  beforeEach(() => lab.fresh());

  /** Starts a container and says where the kernel has it; it is removed again. */
  const place = async (user: 'root' | 'alice'): Promise<string> => {
    const script = `${IMPORT} >/dev/null
      id=$(${PODMAN} run --detach --network none --pids-limit 0 busybox sleep 1000) || exit 1
      sed -n 's/^0:://p' /proc/$(podman inspect --format '{{.State.Pid}}' $id)/cgroup
      podman rm --force --time 0 $id >/dev/null`;
    return lab.out(script, { user });
  };

  it("goes from cgroupfs to systemd and back for root, comments and all that is root's kept", async () => {
    const file = '/etc/containers/containers.conf';
    const text = '# ours\n[engine]\n  cgroup_manager = "cgroupfs"   # since 2021\n';
    await lab.write(file, text);
    expect(await lab.out(MANAGER)).toBe('cgroupfs');
    expect(await place('root')).toMatch(/^\/libpod_parent\/libpod-/);
    expect((await lab.slicectl(['driver', 'status'])).code).toBe(3);
    await lab.done('driver', 'align', '--to', 'systemd', '--yes');
    expect(await lab.out(MANAGER)).toBe('systemd');
    expect(await place('root')).toMatch(/^\/machine\.slice\/libpod-.*\.scope/);
    expect(await lab.read(file)).toBe(text);
    const ours = '/etc/containers/containers.conf.d/99-slicectl.conf';
    expect(await lab.read(ours)).toMatch(/^cgroup_manager = "systemd"$/m);
    await lab.done('undo', '--yes');
    expect(await lab.exists(ours)).toBe(false);
    expect(await lab.read(file)).toBe(text);
    expect(await lab.out(MANAGER)).toBe('cgroupfs');
    expect(await place('root')).toMatch(/^\/libpod_parent\/libpod-/);
  });

  it('is changed by alice for herself alone, in her own files, and taken back by her', async () => {
    const user = 'alice';
    const file = '/home/alice/.config/containers/containers.conf';
    const text = '[engine]\ncgroup_manager="cgroupfs"\n';
    await lab.write(file, text);
    await lab.out(`chown 1000:1000 ${file}`);
    expect(await lab.out(MANAGER, { user })).toBe('cgroupfs');
    const untouched = await lab.out('find /etc /var/lib/slicectl -printf "%p %T@\\n" 2>/dev/null | sort');
    const align = ['slicectl driver align --to systemd --runtime podman --yes', 'slicectl undo --yes'] as const;
    await lab.out(align[0], { user });
    expect(await lab.out(MANAGER, { user })).toBe('systemd');
    expect(await place('alice')).toMatch(/^\/user\.slice\/user-1000\.slice\/user@1000\.service\/.*libpod-.*\.scope/);
    expect(await lab.read(file)).toBe(text);
    expect(await lab.out('stat -c %U /home/alice/.config/containers/containers.conf.d/99-slicectl.conf')).toBe('alice');
    expect(await lab.out(MANAGER)).toBe('systemd');
    expect(await lab.out('find /etc /var/lib/slicectl -printf "%p %T@\\n" 2>/dev/null | sort')).toBe(untouched);
    await lab.out(align[1], { user });
    expect(await lab.read(file)).toBe(text);
    expect(await lab.out(MANAGER, { user })).toBe('cgroupfs');
  });

  it('gets a file of its own where it has none, and none after undo', async () => {
    const before = await lab.fingerprint();
    await lab.done('driver', 'align', '--to', 'cgroupfs', '--runtime', 'podman', '--yes');
    expect(await lab.out(MANAGER)).toBe('cgroupfs');
    expect(await place('root')).toMatch(/^\/libpod_parent\/libpod-/);
    await lab.done('undo', '--yes');
    expect(await lab.out(MANAGER)).toBe('systemd');
    const files = (text: string) => text.split('\n').filter((line) => /^[0-9a-f]{64} /.test(line));
    expect(files(await lab.fingerprint())).toEqual(files(before));
  });
});
