import { describe, expect, it } from 'vitest';
import { kubeletArguments, readKubeletCpus } from '../../../src/cpus/kubelet/read.ts';
import type { Task } from '../../../src/host/tasks.ts';
import { type Files, makeTree, NODE } from '../../drivers/kubelet/node.ts';
import { FakeHost } from '../fake-host.ts';

const CONFIG = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
`;
const STATIC = `${CONFIG}cpuManagerPolicy: static
cpuManagerPolicyOptions:
  full-pcpus-only: "true"
  strict-cpu-reservation: "true"
reservedSystemCPUs: 0-1,20-21
`;
const STATE =
  '{"policyName":"static","defaultCpuSet":"2-9","entries":{"4c1f":{"app":"10-11","side":"12"}},"checksum":2055509475}';
const FILE = '/var/lib/kubelet/config.yaml';
const STATE_FILE = '/var/lib/kubelet/cpu_manager_state';
const DPKG = (version: string): Files => ({
  '/var/lib/dpkg/status': `Package: kubelet\nStatus: install ok installed\nVersion: ${version}-1.1\n`,
});

function read(files: Files, argv: readonly string[] = []) {
  return readKubeletCpus(makeTree(files), argv);
}

it('reads configuration and state of a static CPU manager', async () => {
  const found = await read({ [FILE]: STATIC, [STATE_FILE]: STATE });
  expect(found).toMatchObject({
    isRunning: false,
    policy: 'static',
    policyOptions: { 'full-pcpus-only': 'true', 'strict-cpu-reservation': 'true' },
    reserved: [0, 1, 20, 21],
    reservedGroups: [],
    topologyPolicy: 'none',
    configPath: FILE,
    state: {
      path: STATE_FILE,
      policy: 'static',
      shared: [2, 3, 4, 5, 6, 7, 8, 9],
      exclusive: [
        { pod: '4c1f', container: 'app', cpus: [10, 11] },
        { pod: '4c1f', container: 'side', cpus: [12] },
      ],
    },
    problems: [],
  });
  expect(found?.sources.reservedSystemCPUs).toMatchObject({ path: FILE, line: 7 });
  expect(found?.sources.topologyManagerPolicy).toBeUndefined();
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
    '--topology_manager_policy=restricted',
  ];
  expect(await read({ '/etc/k.yaml': STATIC, '/data/cpu_manager_state': STATE }, argv)).toMatchObject({
    isRunning: true,
    policy: 'none',
    policyOptions: { 'full-pcpus-only': 'true', x: 'y' },
    reserved: [4],
    topologyPolicy: 'restricted',
    configPath: '/etc/k.yaml',
    state: { path: '/data/cpu_manager_state' },
    sources: { reservedSystemCPUs: { text: "--reserved-cpus in the running kubelet's command line" } },
  });
});

describe('a kubelet of a unit', () => {
  it('is read by the files that its next start reads, flags before drop-ins before the file', async () => {
    const found = await read({
      ...NODE,
      '/etc/default/kubelet':
        'KUBELET_EXTRA_ARGS="--config-dir=/etc/k.d --cpu-manager-policy=static --root-dir=/srv/kubelet"\n',
      [FILE]: `${CONFIG}reservedSystemCPUs: "0"\ncpuManagerPolicy: none\n`,
      '/etc/k.d/10-a.conf': `${CONFIG}reservedSystemCPUs: "0-1"\ncpuManagerPolicyOptions: {full-pcpus-only: "true"}\n`,
      '/etc/k.d/20-b.conf': `${CONFIG}cpuManagerPolicyOptions: {strict-cpu-reservation: "true"}\n`,
      '/etc/k.d/30-c.yaml': `${CONFIG}reservedSystemCPUs: "7"\n`,
      '/srv/kubelet/cpu_manager_state': STATE,
    });
    expect(found).toMatchObject({
      policy: 'static',
      reserved: [0, 1],
      policyOptions: { 'full-pcpus-only': 'true', 'strict-cpu-reservation': 'true' },
      statePath: '/srv/kubelet/cpu_manager_state',
      state: { policy: 'static' },
      sources: {
        cpuManagerPolicy: { path: '/etc/default/kubelet', line: 1 },
        reservedSystemCPUs: { path: '/etc/k.d/10-a.conf', line: 3 },
        cpuManagerPolicyOptions: { path: '/etc/k.d/20-b.conf', line: 3 },
      },
    });
  });

  it('a flag for the options stands for all of them', async () => {
    const found = await read({
      ...NODE,
      '/etc/default/kubelet': 'KUBELET_EXTRA_ARGS="--cpu-manager-policy-options=align-by-socket=true"\n',
      [FILE]: STATIC,
    });
    expect(found?.policyOptions).toEqual({ 'align-by-socket': 'true' });
  });

  it('is read by the command line of its process, where that is another one', async () => {
    const argv = ['/usr/bin/kubelet', `--config=${FILE}`, '--reserved-cpus=5'];
    expect(await read({ ...NODE, [FILE]: STATIC }, argv)).toMatchObject({ reserved: [5], policy: 'static' });
  });

  it('has the version of its package', async () => {
    const files = { ...NODE, [FILE]: STATIC };
    expect(await read({ ...files, ...DPKG('1.32.1') })).toMatchObject({
      version: '1.32.1',
      support: {
        'full-pcpus-only': { isUsable: true },
        'strict-cpu-reservation': {
          isUsable: false,
          why: 'it is alpha in kubelet 1.32.1, whose feature gate CPUManagerPolicyAlphaOptions is off',
        },
      },
    });
    const gates = `${STATIC}featureGates:\n  CPUManagerPolicyAlphaOptions: true\n`;
    expect(await read({ ...files, [FILE]: gates, ...DPKG('1.32.1') })).toMatchObject({
      support: { 'strict-cpu-reservation': { isUsable: true } },
    });
  });
});

it('is undefined where there is no kubelet', async () => {
  expect(await read({})).toBeUndefined();
});

it('names groups beside which no CPUs can be reserved', async () => {
  const text = `${CONFIG}systemReservedCgroup: /system\nkubeReservedCgroup: ""\n`;
  expect((await read({ [FILE]: text }))?.reservedGroups).toEqual([{ field: 'systemReservedCgroup', group: '/system' }]);
});

it.each([
  'reservedCpus',
  'reservedCPUs',
  'reservedSystemCpus',
  'reserved-cpus',
])('%s is told of as a key that sets nothing', async (key) => {
  expect(await read({ [FILE]: `${CONFIG}${key}: 0-1\n` })).toMatchObject({
    policy: 'none',
    reserved: undefined,
    misspelt: [{ key, path: FILE, line: 3 }],
    problems: [],
  });
});

it.each<[string, Files, string]>([
  ['a state that is not JSON', { [STATE_FILE]: '{' }, '/var/lib/kubelet/cpu_manager_state is not JSON'],
  [
    'a state with a list that the kubelet does not take',
    { [STATE_FILE]: '{"defaultCpuSet":"0 1"}' },
    '/var/lib/kubelet/cpu_manager_state: defaultCpuSet="0 1": "0 1" is not a number or a range',
  ],
  [
    'a set that runs backwards',
    { [FILE]: `${CONFIG}reservedSystemCPUs: 3-1\n` },
    'reservedSystemCPUs="3-1": the range 3-1 runs backwards',
  ],
  [
    'a set that is a number',
    { [FILE]: `${CONFIG}reservedSystemCPUs: 3\n` },
    'reservedSystemCPUs is 3, which is no text: the kubelet does not start with it',
  ],
  [
    'an option that is no text',
    { [FILE]: `${CONFIG}cpuManagerPolicyOptions:\n  strict-cpu-reservation: true\n` },
    `${FILE}:4: the option strict-cpu-reservation is true, which is no text: the kubelet does not start with it`,
  ],
])('%s is a problem, and no failure', async (_, files, problem) => {
  expect((await read(files))?.problems).toEqual([problem]);
});

it('a configuration that is not YAML is a problem, and no failure', async () => {
  const found = await read({ [FILE]: 'a: [\n' });
  expect(found?.problems).toEqual([expect.stringContaining(FILE)]);
});

it('an option that is no text is not on', async () => {
  const text = `${CONFIG}cpuManagerPolicyOptions: {strict-cpu-reservation: true, full-pcpus-only: "true"}\n`;
  expect((await read({ [FILE]: text }))?.policyOptions).toEqual({ 'full-pcpus-only': 'true' });
});

describe('the process', () => {
  const task = (pid: number, name = 'kubelet'): Task =>
    ({ pid, tid: pid, name }) as Pick<Task, 'pid' | 'tid' | 'name'> as Task;
  const process = (pid: number, uid: number, line: string): Record<string, string> => ({
    [`proc/${pid}/stat`]: `${pid} (kubelet) S 1 ${Array(50).fill(0).join(' ')}\n`,
    [`proc/${pid}/status`]: `Name:\tkubelet\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`,
    [`proc/${pid}/cmdline`]: line.replaceAll(' ', '\0'),
    [`proc/${pid}/cgroup`]: '0::/system.slice/kubelet.service\n',
  });

  it('is that of root, whoever else calls a program so', () => {
    using host = new FakeHost();
    host.write({ ...process(50, 1000, 'kubelet --config=/home/eve/k '), ...process(60, 0, 'kubelet --v=2 ') });
    expect(kubeletArguments(host.paths, [task(50), task(60)])).toEqual(['kubelet', '--v=2']);
    expect(kubeletArguments(host.paths, [task(50)])).toEqual([]);
  });
});
