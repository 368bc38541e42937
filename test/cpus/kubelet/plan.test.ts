import { describe, expect, it } from 'vitest';
import type { Step } from '../../../src/change/plan.ts';
import { shareFor } from '../../../src/cpus/kubelet/plan.ts';
import { readKubeletCpus } from '../../../src/cpus/kubelet/read.ts';
import type { KubeletRun } from '../../../src/drivers/kubelet/facts.ts';
import { kubelet } from '../../../src/drivers/kubelet/kubelet.ts';
import {
  CONFIG,
  config,
  EXTRA,
  type Files,
  hostOf,
  KUBEADM_FLAGS,
  makeTree,
  NODE,
  running,
  withCommand,
  written,
} from '../../drivers/kubelet/node.ts';
import { GUEST_8, topologyOf } from '../fake-host.ts';

const STATE_PATH = '/var/lib/kubelet/cpu_manager_state';
const DRIVER = 'cgroupDriver: systemd\n';
const none = '{"policyName":"none","defaultCpuSet":"","checksum":1353318690}';

const dpkg = (version: string): Files => ({
  '/var/lib/dpkg/status': `Package: kubelet\nStatus: install ok installed\nVersion: ${version}-1.1\n`,
});
const node = (text: string, more: Files = {}): Files => ({
  ...NODE,
  ...dpkg('1.35.1'),
  [CONFIG]: config(text),
  ...more,
});

interface Asked {
  readonly run?: KubeletRun;
  readonly payload?: readonly number[];
  readonly drained?: boolean;
}

async function share(files: Files, { run, payload = [4, 5, 6, 7], drained = false }: Asked = {}) {
  const tree = makeTree(files);
  const [facts] = await kubelet.read(hostOf(tree, undefined));
  const cpus = await readKubeletCpus(tree, []);
  if (!facts || !cpus) throw new Error('no kubelet was found');
  const topology = topologyOf(GUEST_8);
  const system = topology.possible.filter((cpu) => !payload.includes(cpu));
  return shareFor({ ...facts, run }, cpus, topology, { system, payload, drained });
}

const namesOf = (steps: readonly Step[]): string[] =>
  steps.map((step) => {
    if (step.kind === 'unit') return `${step.verb} ${step.unit}`;
    if (step.kind === 'action') return step.does;
    return step.kind === 'check' ? `check ${step.check}` : step.kind === 'file' ? step.path : step.kind;
  });

describe('settings', () => {
  it.each<[string, Files, Files]>([
    [
      'go into the file of --config',
      node(DRIVER),
      {
        [CONFIG]: config(
          'cgroupDriver: systemd\ncpuManagerPolicy: static\ncpuManagerPolicyOptions:\n  full-pcpus-only: "true"\n  strict-cpu-reservation: "true"\nreservedSystemCPUs: "0-3"\n',
        ),
      },
    ],
    [
      'are changed where they are, and other options stay',
      node(
        'reservedSystemCPUs: "0-1" # two\ncpuManagerPolicy: static\ncpuManagerPolicyOptions: {align-by-socket: "true", strict-cpu-reservation: "false"}\n',
      ),
      {
        [CONFIG]: config(
          'reservedSystemCPUs: "0-3" # two\ncpuManagerPolicy: static\ncpuManagerPolicyOptions: {align-by-socket: "true", strict-cpu-reservation: "true", full-pcpus-only: "true"}\n',
        ),
      },
    ],
    [
      'are put in quotes where they are no text',
      node(
        'cpuManagerPolicy: static\ncpuManagerPolicyOptions:\n  full-pcpus-only: "true"\n  strict-cpu-reservation: true\nreservedSystemCPUs: "0-3"\n',
      ),
      {
        [CONFIG]: config(
          'cpuManagerPolicy: static\ncpuManagerPolicyOptions:\n  full-pcpus-only: "true"\n  strict-cpu-reservation: "true"\nreservedSystemCPUs: "0-3"\n',
        ),
      },
    ],
    [
      'are changed as flags where flags win, several in one file at once',
      node('cpuManagerPolicy: static\ncpuManagerPolicyOptions: {full-pcpus-only: "true"}\n', {
        [KUBEADM_FLAGS]: 'KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.2"\n',
        [EXTRA]:
          'KUBELET_EXTRA_ARGS="--reserved-cpus=0 --cpu-manager-policy none --cpu-manager-policy-options=align-by-socket=true"\n',
      }),
      {
        [EXTRA]:
          'KUBELET_EXTRA_ARGS="--reserved-cpus=0-3 --cpu-manager-policy static --cpu-manager-policy-options=align-by-socket=true,full-pcpus-only=true,strict-cpu-reservation=true"\n',
      },
    ],
    [
      'go into the drop-in that wins, and the others into the file',
      {
        ...withCommand('--config=/etc/k.yaml --config-dir=/etc/k.d'),
        ...dpkg('1.34.0'),
        '/etc/k.yaml': config('reservedSystemCPUs: "1"\ncpuManagerPolicy: static\n'),
        '/etc/k.d/50.conf': config('reservedSystemCPUs: "2"\n'),
      },
      {
        '/etc/k.d/50.conf': config('reservedSystemCPUs: "0-3"\n'),
        '/etc/k.yaml': config(
          'reservedSystemCPUs: "1"\ncpuManagerPolicy: static\ncpuManagerPolicyOptions:\n  full-pcpus-only: "true"\n  strict-cpu-reservation: "true"\n',
        ),
      },
    ],
    [
      'go into a drop-in of ours where there is a folder and no file, beside what it has',
      {
        ...withCommand('--config-dir=/etc/k.d'),
        ...dpkg('1.35.0'),
        '/etc/k.d/90-slicectl.conf': config('cgroupDriver: systemd\n'),
      },
      {
        '/etc/k.d/90-slicectl.conf': config(
          'cgroupDriver: systemd\nreservedSystemCPUs: "0-3"\ncpuManagerPolicy: static\ncpuManagerPolicyOptions:\n  full-pcpus-only: "true"\n  strict-cpu-reservation: "true"\n',
        ),
      },
    ],
  ])('%s', async (_, files, expected) => {
    const { steps, refusals } = await share(files);
    expect(refusals).toEqual([]);
    const found = Object.fromEntries(written(steps.files));
    const data = async (texts: Files): Promise<unknown> => {
      const { parse } = await import('yaml');
      return Object.fromEntries(
        Object.entries(texts).map(([path, text]) => [path, path.startsWith('/etc/default') ? text : parse(text)]),
      );
    };
    expect(await data(found)).toEqual(await data(expected));
    const again = await share({ ...files, ...found });
    expect(again.steps).toEqual({ stop: [], files: [], start: [] });
  });

  it('leave comments and every other byte', async () => {
    const text = config('# ours\nreservedSystemCPUs: "0-1"  # two\r\ncpuManagerPolicy: static');
    const { steps } = await share(
      node('', {
        [CONFIG]: `${text}\ncpuManagerPolicyOptions: {strict-cpu-reservation: "true", full-pcpus-only: "true"}`,
      }),
    );
    expect(written(steps.files)).toEqual([
      [
        CONFIG,
        `${text.replace('"0-1"', '"0-3"')}\ncpuManagerPolicyOptions: {strict-cpu-reservation: "true", full-pcpus-only: "true"}`,
      ],
    ]);
  });

  it.each<[string, string, string[], RegExp[]]>([
    ['1.35.1', '', ['full-pcpus-only', 'strict-cpu-reservation'], []],
    ['1.31.0', '', ['full-pcpus-only'], [/strict-cpu-reservation is not set: kubelet 1\.31\.0 does not have it/]],
    ['1.32.0', '', ['full-pcpus-only'], [/CPUManagerPolicyAlphaOptions is off/]],
    [
      '1.32.0',
      'featureGates: {CPUManagerPolicyAlphaOptions: true}\n',
      ['full-pcpus-only', 'strict-cpu-reservation'],
      [],
    ],
    ['1.21.0', '', [], [/strict-cpu-reservation is not set/, /full-pcpus-only is not set/]],
  ])('of kubelet %s with %j are those that it takes', async (version, text, options, notes) => {
    const found = await share(node(text, dpkg(version)));
    const [, after = ''] = written(found.steps.files)[0] ?? [];
    expect(['full-pcpus-only', 'strict-cpu-reservation'].filter((option) => after.includes(option))).toEqual(options);
    const warnings = found.notes.filter(
      ({ severity, text: said }) => severity === 'warning' && /is not set/.test(said),
    );
    expect(warnings).toHaveLength(notes.length);
    for (const [at, note] of notes.entries()) expect(warnings[at]?.text).toMatch(note);
  });

  it('have no whole cores where a core is split', async () => {
    const { steps, notes } = await share(node(''), { payload: [5, 6, 7] });
    expect(written(steps.files)[0]?.[1]).toContain('reservedSystemCPUs: "0-4"');
    expect(written(steps.files)[0]?.[1]).not.toContain('full-pcpus-only');
    expect(notes.map(({ text }) => text).join()).toMatch(/CPUs 0-4 split a core/);
  });

  it('that kubeadm writes again are told of', async () => {
    const { notes } = await share(node(''));
    expect(notes.find(({ text }) => text.includes('ConfigMap'))).toMatchObject({
      severity: 'warning',
      items: [
        'cpuManagerPolicy: static',
        'cpuManagerPolicyOptions: full-pcpus-only: "true"',
        'cpuManagerPolicyOptions: strict-cpu-reservation: "true"',
        'reservedSystemCPUs: 0-3',
      ],
    });
  });
});

describe('order', () => {
  it('is stop, files, state, start and proof, for a kubelet that runs', async () => {
    const { steps, refusals, notes } = await share(node(DRIVER, { [STATE_PATH]: none }), { run: running('systemd') });
    expect(refusals).toEqual([]);
    expect(namesOf(steps.stop)).toEqual(['stop kubelet.service']);
    expect(namesOf(steps.files)).toEqual([CONFIG, `remove ${STATE_PATH}, which the kubelet makes anew`]);
    expect(namesOf(steps.start)).toEqual(['start kubelet.service', 'check cpus.kubelet']);
    expect(steps.start.at(-1)).toMatchObject({
      expect: { state: STATE_PATH, policy: 'static', reserved: '0-3', strict: 'yes' },
      expectBefore: { state: STATE_PATH, policy: 'none' },
    });
    expect(notes[0]).toMatchObject({ severity: 'impact', text: expect.stringContaining('Drain the node before') });
  });

  it('has a unit file among the files where the flag is written there', async () => {
    const files = { ...withCommand(`--config=${CONFIG} --reserved-cpus=0`), ...dpkg('1.35.0'), [CONFIG]: config() };
    const { steps } = await share(files, { run: running('systemd') });
    expect(namesOf(steps.files)).toContain('/etc/systemd/system/kubelet.service');
  });

  it('starts no kubelet that did not run', async () => {
    const run = { ...running('systemd'), activeState: 'inactive', isRunning: false };
    const { steps } = await share(node(''), { run });
    expect([...steps.stop, ...steps.start]).toEqual([]);
    expect(steps.files.at(-1)).toMatchObject({ kind: 'action', action: 'cpus.kubelet-state' });
  });

  it('proves nothing of a kubelet that failed before', async () => {
    const run = { ...running('systemd'), activeState: 'activating' };
    const { steps, notes } = await share(node(''), { run });
    expect(namesOf(steps.start)).toEqual(['start kubelet.service']);
    expect(notes[0]?.text).toMatch(/fails and is started again and again/);
  });

  it('removes a state that does not fit, where only that is wrong', async () => {
    const text =
      'cpuManagerPolicy: static\nreservedSystemCPUs: 0-3\ncpuManagerPolicyOptions: {full-pcpus-only: "true", strict-cpu-reservation: "true"}\n';
    const { steps } = await share(node(text, { [STATE_PATH]: none }), { run: running('systemd') });
    expect(namesOf(steps.files)).toEqual([`remove ${STATE_PATH}, which the kubelet makes anew`]);
    const fits = '{"policyName":"static","defaultCpuSet":"4-7","checksum":1}';
    expect((await share(node(text, { [STATE_PATH]: fits }), { run: running('systemd') })).steps.files).toEqual([]);
  });
});

describe('refused', () => {
  it.each<[string, Files, Asked, string]>([
    ['pods that run', node(''), { run: running('systemd', ['default/web']) }, 'the pod default/web runs on this node'],
    [
      'a group for the system',
      node('systemReservedCgroup: /system\nenforceNodeAllocatable: [pods, system-reserved]\n'),
      {},
      `systemReservedCgroup is /system (${CONFIG}:3), and a kubelet does not start with reservedSystemCPUs beside it`,
    ],
    ['a node that has not joined', { ...NODE, ...dpkg('1.35.0') }, {}, 'this node has not joined'],
    ['a file that is broken', node('', { [CONFIG]: 'a: [\n' }), {}, 'files are left as they are'],
    [
      'a kubelet without a file',
      { ...withCommand('--v=2'), ...dpkg('1.35.0') },
      {},
      'gives the kubelet no file of configuration',
    ],
    [
      'a kubelet behind a shell',
      {
        '/etc/systemd/system/kubelet.service': `[Service]\nExecStart=/bin/sh -c "exec kubelet --config=${CONFIG} --reserved-cpus=0"\n`,
        ...dpkg('1.35.0'),
        [CONFIG]: config(),
      },
      {},
      'in a script of a shell',
    ],
    [
      'an option of somebody that is no text',
      node('cpuManagerPolicyOptions: {align-by-socket: true}\n'),
      {},
      `${CONFIG}:3: the option align-by-socket is true, which is no text`,
    ],
    ['an old kubelet', node('', dpkg('1.16.2')), {}, 'does not know reservedSystemCPUs'],
    ['no CPU for the system', node(''), { payload: [0, 1, 2, 3, 4, 5, 6, 7] }, 'has to keep a CPU for the system'],
  ])('for %s', async (_, files, asked, reason) => {
    const { refusals } = await share(files, asked);
    expect(refusals[0]?.reason).toContain(reason);
    expect(refusals[0]?.hint).toBeTruthy();
  });

  it('no more for pods where the node is said to be drained, which are named', async () => {
    const { refusals, notes } = await share(node(''), { run: running('systemd', ['default/web']), drained: true });
    expect(refusals).toEqual([]);
    expect(notes[1]).toMatchObject({ severity: 'impact', items: ['default/web'] });
  });
});
