import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { labFolder } from '../paths.ts';
import { DOCKER_MACHINES, DriverLab, spoken } from './support.ts';

const CONFIG = '/etc/containerd/config.toml';
const CRI = '/root/cri.mjs';
const ALIGN = ['driver', 'align', '--to', 'systemd', '--runtime', 'containerd', '--yes'];

describe.each(DOCKER_MACHINES)('containerd of $suite on $name', ({ name, suite }) => {
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'containerd');
    await lab.push(join(labFolder, 'drivers/cri.mjs'), CRI);
  });

  afterAll(() => lab.down());

  beforeEach(async () => {
    await lab.fresh();
    await restart();
  });

  /** Restarts containerd and waits until its CRI answers, or says that it has none. */
  async function restart(): Promise<void> {
    await lab.out('systemctl restart containerd');
    await lab.until(`node ${CRI} Status | grep -qv ENOENT`);
  }

  /** The switch of the runtime table runc as the daemon that runs has it; what RuntimeConfig says, where it is known. */
  async function asked(): Promise<{ systemdCgroup: string | undefined; kubeletGets: string | undefined }> {
    const status = (await lab.sh(`node ${CRI} Status`)).stdout;
    const config = (await lab.sh(`node ${CRI} RuntimeConfig`)).stdout;
    // LinuxRuntimeConfiguration.cgroup_driver: 0 (not sent) is systemd, 1 is cgroupfs; 12 is "unimplemented".
    const answers: Record<string, string> = { '\n\0': 'systemd', '\n\u0002\b\u0001': 'cgroupfs' };
    return {
      systemdCgroup: /"runc":\{.*?"SystemdCgroup":(true|false)/.exec(status)?.[1],
      kubeletGets: answers[config] ?? config,
    };
  }

  const onCgroupfs = {
    systemdCgroup: 'false',
    kubeletGets: suite === 'forky' ? 'cgroupfs' : 'grpc-status 12',
  };
  const onSystemd = { systemdCgroup: 'true', kubeletGets: suite === 'forky' ? 'systemd' : 'grpc-status 12' };

  it('goes from cgroupfs to systemd and back as its CRI says, the file is the same to the byte', async () => {
    const text = `# ours\n${await lab.read(CONFIG)}`;
    await lab.write(CONFIG, text);
    await restart();
    expect(await asked()).toEqual(onCgroupfs);
    const cni = await lab.out(`node ${CRI} Status | grep -ao '"binDirs*":[^,]*'`);
    await lab.done(...ALIGN);
    expect(await asked()).toEqual(onSystemd);
    const after = await lab.read(CONFIG);
    for (const line of text.split('\n').filter(Boolean)) expect(after.split('\n')).toContain(line);
    expect(await lab.out(`node ${CRI} Status | grep -ao '"binDirs*":[^,]*'`)).toBe(cni);
    const aligned = await lab.fingerprint();
    expect((await lab.done(...ALIGN)).stdout).toMatch(/nothing to do/);
    expect(await lab.fingerprint()).toBe(aligned);
    await lab.done('undo', '--yes');
    expect(await lab.read(CONFIG)).toBe(text);
    expect(await asked()).toEqual(onCgroupfs);
  });

  it('changes the value that is there, and not a key of another section', async () => {
    const section =
      suite === 'forky'
        ? `version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\n  SystemdCgroup = false # as it was\n`
        : `version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n  SystemdCgroup = false # as it was\n`;
    await lab.write(CONFIG, section);
    await restart();
    expect(await asked()).toEqual(onCgroupfs);
    await lab.done(...ALIGN);
    expect(await asked()).toEqual(onSystemd);
    expect(await lab.read(CONFIG)).toBe(section.replace('SystemdCgroup = false', 'SystemdCgroup = true'));
  });

  it('is told of a file that it does not start with, and nothing is written', async () => {
    await lab.write(CONFIG, 'version = 2\n[plugins\n');
    const untouched = await lab.fingerprint();
    const refused = await lab.slicectl(ALIGN);
    expect(refused.code, spoken(refused)).toBe(2);
    expect(spoken(refused)).toMatch(/^refused: .*\/etc\/containerd\/config\.toml:\d+:\d+/m);
    expect(await lab.fingerprint()).toBe(untouched);
  });

  it('lets the containers of Docker live through its restart', async () => {
    await lab.container('one');
    const pid = await lab.pidOf('one');
    await lab.done(...ALIGN);
    expect(await lab.pidOf('one')).toBe(pid);
    expect(await lab.out(`docker exec one echo alive`)).toBe('alive');
  });

  it('is changed with the stand-in kubelet that asks it, which stops before and starts after', async () => {
    await lab.out('lab-kubelet cgroupfs containerd');
    await lab.until(`journalctl -u kubelet -o cat | tail -n 1 | grep -q 'starts: cgroupfs as containerd'`);
    const status = await lab.slicectl(['driver', 'status']);
    expect(status.code, spoken(status)).toBe(3);
    await lab.done('driver', 'align', '--to', 'systemd', '--drained', '--yes');
    expect(await asked()).toEqual(onSystemd);
    await lab.until(`journalctl -u kubelet -o cat | tail -n 1 | grep -q 'starts: systemd as containerd'`);
    const times = await lab.out(
      `journalctl -o short-monotonic -u kubelet -u containerd --grep='Stopped kubelet|Stopped containerd|Started containerd|kubelet starts: systemd' | tail -n 4`,
    );
    expect(times.split('\n').map((line) => /Stopped kubelet|Stopped|Started|kubelet starts/.exec(line)?.[0])).toEqual([
      'Stopped kubelet',
      'Stopped',
      'Started',
      'kubelet starts',
    ]);
    const aligned = await lab.slicectl(['driver', 'check', '--expect', 'systemd']);
    expect(aligned.code, spoken(aligned)).toBe(0);
  });
});
