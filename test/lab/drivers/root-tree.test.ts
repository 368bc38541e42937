import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { specOf } from '../catalogue.ts';
import { ensureImage, treeOf } from '../image.ts';
import { DOCKER_MACHINES, DriverLab, spoken } from './support.ts';

const TREE = '/srv/image';
const OTHER = { 'docker-252': 'docker-262', 'docker-257': 'docker-252', 'docker-262': 'docker-257' } as const;
const VERSIONS = {
  'docker-252': ['20.10', '1.6'],
  'docker-257': ['26.1', '1.7'],
  'docker-262': ['28.5', '2.1'],
} as const;
/** What slicectl may look at in a tree. */
const PARTS = [
  'etc',
  'usr/lib/systemd',
  'usr/lib/os-release',
  'usr/share/containers',
  'var/lib/dpkg/status',
  'lib',
  'usr/sbin/dockerd',
];

describe.each(DOCKER_MACHINES)('--root over the tree of another release, on $name', ({ name }) => {
  const other = OTHER[name as keyof typeof OTHER];
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-lab-root-'));
  let lab: DriverLab;

  beforeAll(async () => {
    lab = await DriverLab.open(name, 'root');
    const tree = treeOf(await ensureImage(specOf(other), () => {}));
    execFileSync('tar', ['--create', '--file', join(folder, 'tree.tar'), '--directory', tree, ...PARTS]);
    await lab.push(join(folder, 'tree.tar'), '/root/tree.tar');
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await lab.down();
  });

  beforeEach(async () => {
    await lab.fresh();
    await lab.out(`rm -rf ${TREE}; mkdir -p ${TREE}; tar --extract --file /root/tree.tar --directory ${TREE}`);
  });

  it('tells versions and drivers of the tree, and looks at nothing that runs', async () => {
    const [docker, containerd] = VERSIONS[other];
    const status = await lab.slicectl(['driver', 'status', '--root', TREE, '--json']);
    const { runtimes } = JSON.parse(status.stdout) as {
      runtimes: { runtime: string; version: string; running?: object }[];
    };
    const of = (runtime: string) => runtimes.find((row) => row.runtime === runtime);
    expect(of('docker')?.version).toMatch(new RegExp(`^${docker.replace('.', '\\.')}\\b`));
    expect(of('containerd')?.version).toMatch(new RegExp(`^${containerd.replace('.', '\\.')}\\b`));
    expect(runtimes.filter(({ running }) => running !== undefined)).toEqual([]);
  });

  it('is aligned and taken back below its folder alone', async () => {
    await lab.write(`${TREE}/etc/docker/daemon.json`, '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}');
    const host = await lab.fingerprint();
    await lab.done('driver', 'align', '--root', TREE, '--to', 'systemd', '--yes');
    expect(await lab.read(`${TREE}/etc/docker/daemon.json`)).toBe('{"exec-opts": ["native.cgroupdriver=systemd"]}');
    const check = await lab.slicectl(['driver', 'check', '--root', TREE, '--expect', 'systemd']);
    expect(check.code, spoken(check)).toBe(0);
    expect(await lab.exists(`${TREE}/var/lib/slicectl/journal`)).toBe(true);
    await lab.done('undo', '--root', TREE, '--yes');
    expect(await lab.read(`${TREE}/etc/docker/daemon.json`)).toBe('{"exec-opts": ["native.cgroupdriver=cgroupfs"]}');
    expect(await lab.fingerprint()).toBe(host);
  });

  it('does not follow a link out of the tree', async () => {
    await lab.write('/etc/docker/daemon.json', '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}');
    await lab.out(`mkdir -p ${TREE}/etc/docker; ln -s /etc/docker/daemon.json ${TREE}/etc/docker/loop
      ln -s ../../../../../../etc/docker/daemon.json ${TREE}/etc/docker/daemon.json`);
    const host = await lab.fingerprint();
    await lab.slicectl(['driver', 'align', '--root', TREE, '--to', 'cgroupfs', '--runtime', 'docker', '--yes']);
    expect(await lab.fingerprint()).toBe(host);
  });

  it('refuses a root that is no folder', async () => {
    const ended = await lab.slicectl(['driver', 'status', '--root', '/etc/hostname']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/^slicectl: .*\/etc\/hostname/);
  });
});
