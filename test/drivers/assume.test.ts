import { expect, it } from 'vitest';
import { openHost } from '../../src/drivers/hosts.ts';
import { readers } from '../../src/drivers/runtimes.ts';
import { readInstances } from '../../src/drivers/status.ts';
import { useTree } from './trees.ts';

const tree = useTree();
const SELF = { uid: 0, env: {}, cwd: '/', parentPid: 1 };

async function seen(assume: readonly string[]): Promise<string[]> {
  const host = await openHost({ root: tree.root, assume, self: SELF });
  const instances = await readInstances(readers, host);
  return instances.flatMap(({ rows }) => rows.map((row) => `${row.runtime} ${row.version} ${row.configured.driver}`));
}

it('finds a runtime that is not installed yet when its version is assumed', async () => {
  tree.put('/etc/docker/daemon.json', '{"exec-opts": ["native.cgroupdriver=systemd"]}');
  tree.put('/var/lib/kubelet/config.yaml', 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n');
  expect(await seen([])).toEqual([]);
  expect(await seen(['docker=28.5', 'podman=5.4', 'containerd=1.7.24', 'crio=1.30', 'kubelet=1.29.1'])).toEqual([
    'docker 28.5 systemd',
    'containerd 1.7.24 cgroupfs',
    'crio 1.30 systemd',
    'podman 5.4 cgroupfs',
    'kubelet 1.29.1 cgroupfs',
  ]);
});

it('goes by the assumed version rather than by the installed one', async () => {
  tree.put('/var/lib/dpkg/status', 'Package: podman\nStatus: install ok installed\nVersion: 4.3.1+ds1-8\n\n');
  expect(await seen([])).toEqual(['podman 4.3.1+ds1 cgroupfs']);
  expect(await seen(['podman=5.8'])).toEqual(['podman 5.8 cgroupfs']);
});

it.each([
  ['docker', /is not NAME=VERSION/],
  ['docker=', /is not NAME=VERSION/],
  ['docker=new', /is not NAME=VERSION/],
  ['dokcer=1.2', /knows no runtime "dokcer"/],
])('refuses --assume %s', async (text, message) => {
  await expect(openHost({ root: '/', assume: [text], self: SELF })).rejects.toThrow(message);
});
