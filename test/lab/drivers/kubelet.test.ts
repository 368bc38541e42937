import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAEMON_JSON, DOCKER_MACHINES, DriverLab, spoken } from './support.ts';

const CONFIG = '/var/lib/kubelet/config.yaml';
const ALIGN = ['driver', 'align', '--to', 'systemd', '--yes'];

/**
 * The kubelet of these tests is a stand-in: kubeadm's unit, drop-in and files around a script that ends when its driver
 * is not the runtime's, and that says when it starts and stops.
 */
describe.each(DOCKER_MACHINES)('a stand-in kubelet over Docker $docker, on $name', ({ name }) => {
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'kubelet');
  });

  afterAll(() => lab.down());

  beforeEach(async () => {
    await lab.fresh();
    await lab.dockerWith('{"exec-opts": ["native.cgroupdriver=cgroupfs"]}\n');
  });

  const startKubelet = async (driver: string, runtime: string): Promise<void> => {
    await lab.out(`lab-kubelet ${driver} ${runtime}; systemctl restart kubelet`);
    await lab.until(`journalctl -u kubelet -o cat --since=-1min | grep -q "stand-in kubelet starts: ${driver}"`);
  };

  /** What units said since a moment of the journal, in the order of its clock. */
  const said = async (cursor: string, ...units: string[]): Promise<string[]> => {
    const text = await lab.out(
      `journalctl --after-cursor='${cursor}' -o json --output-fields=MESSAGE ${units.map((unit) => `-u ${unit}`).join(' ')}`,
    );
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { MESSAGE: string; __MONOTONIC_TIMESTAMP: string })
      .sort((a, b) => Number(a.__MONOTONIC_TIMESTAMP) - Number(b.__MONOTONIC_TIMESTAMP))
      .map(({ MESSAGE }) => MESSAGE);
  };

  const now = (): Promise<string> =>
    lab.out(
      `journalctl --sync 2>/dev/null; journalctl -n 1 -o json --output-fields=MESSAGE | sed -n 's/.*"__CURSOR" *: *"\\([^"]*\\)".*/\\1/p'`,
    );

  /** The order in which these lines were said; -1 for one that was not. */
  const expectOrder = (lines: readonly string[], ...patterns: readonly RegExp[]): void => {
    const places = patterns.map((pattern) => lines.findIndex((line) => pattern.test(line)));
    expect(places, lines.join('\n')).not.toContain(-1);
    expect(places, lines.join('\n')).toEqual([...places].sort((a, b) => a - b));
  };

  it('is stopped first and started last, with the driver of its runtime, and the same on the way back', async () => {
    await startKubelet('cgroupfs', 'docker');
    const config = await lab.read(CONFIG);
    const start = await now();
    await lab.done(...ALIGN, '--drained');
    expect(await lab.dockerDriver()).toBe('systemd');
    expect(await lab.read(CONFIG)).toBe(config.replace('cgroupDriver: cgroupfs', 'cgroupDriver: systemd'));
    await lab.until(`journalctl --after-cursor='${start}' -u kubelet -o cat | grep -q 'kubelet starts'`);
    expectOrder(
      await said(start, 'kubelet', 'docker'),
      /Stopped kubelet\.service/,
      /Stopped (docker\.service|Docker)/,
      /Started (docker\.service|Docker)/,
      /stand-in kubelet starts: systemd as docker/,
    );
    expect((await said(start, 'kubelet')).join('\n')).not.toMatch(/misconfiguration/);

    const turn = await now();
    await lab.done('undo', '--yes');
    expect(await lab.read(CONFIG)).toBe(config);
    await lab.until(`journalctl --after-cursor='${turn}' -u kubelet -o cat | grep -q 'kubelet starts'`);
    const back = await said(turn, 'kubelet', 'docker');
    expectOrder(
      back,
      /Stopped kubelet\.service/,
      /Stopped (docker\.service|Docker)/,
      /Started (docker\.service|Docker)/,
      /stand-in kubelet starts: cgroupfs as docker/,
    );
  });

  it('has its flag changed where it wins over its file', async () => {
    await startKubelet('cgroupfs', 'docker');
    const file = '/etc/default/kubelet';
    await lab.write(file, 'KUBELET_EXTRA_ARGS="--node-ip=10.0.0.1 --cgroup-driver=cgroupfs"\n');
    await lab.out(`sed -i s/cgroupfs/systemd/ ${CONFIG}; systemctl restart kubelet`);
    await lab.until(`journalctl -u kubelet -o cat | tail -n 1 | grep -q 'starts: cgroupfs'`);
    await lab.done(...ALIGN, '--drained');
    expect(await lab.read(file)).not.toMatch(/cgroup-driver=cgroupfs/);
    expect(await lab.read(file)).toMatch(/--node-ip=10\.0\.0\.1/);
    await lab.until(`journalctl -u kubelet -o cat | tail -n 1 | grep -q 'starts: systemd as docker'`);
    await lab.done('undo', '--yes');
    expect(await lab.read(file)).toBe('KUBELET_EXTRA_ARGS="--node-ip=10.0.0.1 --cgroup-driver=cgroupfs"\n');
  });

  it('is not changed before somebody says that the node is drained', async () => {
    await startKubelet('cgroupfs', 'docker');
    // Where a kubelet with the cgroupfs driver has dockershim or cri-dockerd put a container of a pod.
    const uid = '6f1c0d0a-9a3e-4b7e-8c55-0f6d3c1c2b11';
    await lab.container(
      'k8s_app_web_default',
      `--restart always --cgroup-parent /kubepods/burstable/pod${uid} --label io.kubernetes.pod.uid=${uid}`,
    );
    expect(await lab.cgroupOf('k8s_app_web_default')).toContain(`/kubepods/burstable/pod${uid}/`);
    const untouched = await lab.fingerprint();
    const refused = await lab.slicectl(ALIGN);
    expect(refused.code, spoken(refused)).toBe(4);
    expect(spoken(refused)).toMatch(/--drained/);
    expect(spoken(refused)).toContain(uid);
    expect(await lab.fingerprint()).toBe(untouched);
  });

  it('makes check --expect fail where it has another driver than its runtime', async () => {
    await startKubelet('cgroupfs', 'docker');
    const ended = await lab.slicectl([
      'driver',
      'check',
      '--expect',
      'cgroupfs',
      '--runtime',
      'docker',
      '--runtime',
      'kubelet',
    ]);
    expect(ended.code, spoken(ended)).toBe(0);
    await lab.out(`sed -i s/cgroupfs/systemd/ ${CONFIG}`);
    const other = await lab.slicectl([
      'driver',
      'check',
      '--expect',
      'cgroupfs',
      '--runtime',
      'docker',
      '--runtime',
      'kubelet',
    ]);
    expect(other.code, spoken(other)).toBe(3);
    expect(await lab.read(DAEMON_JSON)).toContain('cgroupfs');
  });
});
