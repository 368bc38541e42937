import { expect, it } from 'vitest';
import { readKubeletCpus } from '../../src/cpus/kubelet.ts';
import { RootTree } from '../../src/host/root-tree.ts';
import { FakeHost } from './fake-host.ts';

const CONFIG = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cpuManagerPolicy: static
cpuManagerPolicyOptions:
  full-pcpus-only: "true"
  strict-cpu-reservation: "true"
reservedSystemCPUs: 0-1,20-21
`;
const STATE =
  '{"policyName":"static","defaultCpuSet":"2-9","entries":{"4c1f":{"app":"10-11","side":"12"}},"checksum":2055509475}';

function read(files: Readonly<Record<string, string>>, argv: readonly string[] = []) {
  const host = new FakeHost();
  host.write(files);
  return readKubeletCpus(new RootTree(host.root), argv).finally(() => host[Symbol.dispose]());
}

it('reads configuration and state of a static CPU manager', async () => {
  const files = { 'var/lib/kubelet/config.yaml': CONFIG, 'var/lib/kubelet/cpu_manager_state': STATE };
  expect(await read(files)).toEqual({
    policy: 'static',
    policyOptions: { 'full-pcpus-only': 'true', 'strict-cpu-reservation': 'true' },
    reserved: [0, 1, 20, 21],
    configPath: '/var/lib/kubelet/config.yaml',
    state: {
      path: '/var/lib/kubelet/cpu_manager_state',
      policy: 'static',
      shared: [2, 3, 4, 5, 6, 7, 8, 9],
      exclusive: [
        { pod: '4c1f', container: 'app', cpus: [10, 11] },
        { pod: '4c1f', container: 'side', cpus: [12] },
      ],
    },
    problems: [],
  });
});

it('flags of the running kubelet win, and say where its files are', async () => {
  const argv = [
    'kubelet',
    '--config=/etc/k.yaml',
    '--root-dir',
    '/data',
    '--reserved-cpus=4',
    '--cpu-manager-policy=none',
    '--cpu-manager-policy-options=full-pcpus-only=true,x=y',
  ];
  const found = await read({ 'etc/k.yaml': CONFIG, 'data/cpu_manager_state': STATE }, argv);
  expect(found).toMatchObject({
    policy: 'none',
    policyOptions: { 'full-pcpus-only': 'true', x: 'y' },
    reserved: [4],
    configPath: '/etc/k.yaml',
    state: { path: '/data/cpu_manager_state' },
  });
});

it('is undefined where there is no kubelet', async () => {
  expect(await read({})).toBeUndefined();
});

it('has the default policy of a kubelet that is not told of one, and no key that is misspelt', async () => {
  expect(await read({ 'var/lib/kubelet/config.yaml': 'reservedCpus: 0-1\n' })).toMatchObject({
    policy: 'none',
    reserved: undefined,
    problems: [],
  });
});

it.each([
  [
    'a state that is not JSON',
    { 'var/lib/kubelet/cpu_manager_state': '{' },
    '/var/lib/kubelet/cpu_manager_state is not JSON',
  ],
  [
    'a state with a list that the kubelet does not take',
    { 'var/lib/kubelet/cpu_manager_state': '{"defaultCpuSet":"0 1"}' },
    '/var/lib/kubelet/cpu_manager_state: defaultCpuSet="0 1": "0 1" is not a number or a range',
  ],
  [
    'a set that runs backwards',
    { 'var/lib/kubelet/config.yaml': 'reservedSystemCPUs: 3-1\n' },
    'reservedSystemCPUs="3-1": the range 3-1 runs backwards',
  ],
])('%s is a problem, and no failure', async (_, files, problem) => {
  expect((await read(files))?.problems).toEqual([problem]);
});

it('a configuration that is not YAML is a problem, and no failure', async () => {
  const found = await read({ 'var/lib/kubelet/config.yaml': 'a: [\n' });
  expect(found?.problems).toEqual([expect.stringContaining('/var/lib/kubelet/config.yaml is not YAML: ')]);
});
