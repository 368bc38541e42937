import { describe, expect, it } from 'vitest';
import { CONFIG, codesOf, config, type Files, NODE, readNode, rowOf } from './node.ts';

const packages = (...list: readonly (readonly [name: string, version: string])[]): Files => ({
  '/var/lib/dpkg/status': list
    .map(([name, version]) => `Package: ${name}\nStatus: install ok installed\nVersion: ${version}\n`)
    .join('\n'),
});

const CONTAINERD = '/etc/containerd/config.toml';
const containerdUnit = '[Service]\nExecStart=/usr/bin/containerd\n';
const withContainerd = (toml: string): Files => ({
  '/usr/lib/systemd/system/containerd.service': containerdUnit,
  [CONTAINERD]: toml,
});
const V3 = `version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = true
`;

describe('an image, where nothing runs', () => {
  it('has a kubelet that will follow what its containerd is configured to', async () => {
    const files = {
      ...NODE,
      ...packages(['kubelet', '1.33.1-1.1'], ['containerd.io', '2.1.4-1']),
      ...withContainerd(V3),
    };
    const facts = await readNode({ ...files, [CONFIG]: config('cgroupDriver: cgroupfs\n') });
    expect(rowOf(facts)).toMatchObject({
      version: '1.33.1',
      follows: 'containerd',
      running: undefined,
      configured: { driver: 'systemd', source: { kind: 'runtime' } },
    });
    expect(codesOf(facts)).toEqual(['kubelet-inactive']);
  });

  it('has one that goes by its own setting where containerd is too old to tell', async () => {
    const V2 = V3.replace('version = 3', 'version = 2').replaceAll('cri.v1.runtime', 'grpc.v1.cri');
    const files = {
      ...NODE,
      ...packages(['kubelet', '1.33.1-1.1'], ['containerd', '1.7.24~ds1-6']),
      ...withContainerd(V2),
    };
    const facts = await readNode({ ...files, [CONFIG]: config('cgroupDriver: cgroupfs\n') });
    expect(rowOf(facts).configured).toMatchObject({ driver: 'cgroupfs', source: { kind: 'file' } });
    expect(codesOf(facts)).toEqual(['kubelet-fallback']);
  });

  it('has one that follows CRI-O', async () => {
    const files = {
      ...NODE,
      ...packages(['kubelet', '1.33.1-1.1'], ['cri-o', '1.33.0-1']),
      '/usr/lib/systemd/system/crio.service': '[Service]\nExecStart=/usr/bin/crio\n',
      '/etc/crio/crio.conf': '[crio.runtime]\ncgroup_manager = "cgroupfs"\nconmon_cgroup = "pod"\n',
      [CONFIG]: config('cgroupDriver: systemd\ncontainerRuntimeEndpoint: unix:///var/run/crio/crio.sock\n'),
    };
    expect(rowOf(await readNode(files))).toMatchObject({ follows: 'crio', configured: { driver: 'cgroupfs' } });
  });

  it('has one that goes by its own setting where no runtime is installed', async () => {
    const files = { ...NODE, ...packages(['kubelet', '1.33.1-1.1']), [CONFIG]: config('cgroupDriver: systemd\n') };
    expect(rowOf(await readNode(files)).configured).toMatchObject({ driver: 'systemd', source: { kind: 'file' } });
  });
});
