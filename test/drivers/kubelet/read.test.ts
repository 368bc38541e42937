import { symlinkSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kubelet } from '../../../src/drivers/kubelet/kubelet.ts';
import {
  CONFIG,
  codesOf,
  config,
  EXTRA,
  hostOf,
  KUBEADM_FLAGS,
  makeTree,
  NODE,
  readNode,
  request,
  rowOf,
  withCommand,
} from './node.ts';

const D = '/etc/kubernetes/kubelet.conf.d';

describe('where the driver comes from', () => {
  it('is the default where nothing is said: cgroupfs', async () => {
    const { configured } = rowOf(await readNode({ ...NODE, [CONFIG]: config() }));
    expect(configured).toMatchObject({ driver: 'cgroupfs', source: { kind: 'default' }, shadowed: [] });
  });

  it('is the file of --config', async () => {
    const { configured, version, unit } = rowOf(
      await readNode({ ...NODE, [CONFIG]: config('cgroupDriver: systemd\n') }),
    );
    expect(configured.driver).toBe('systemd');
    expect(configured.source).toMatchObject({ kind: 'file', path: CONFIG, line: 3, column: 1 });
    expect([version, unit]).toEqual(['1.30.4', 'kubelet.service']);
  });

  it('is the file also as JSON, with CRLF and with a byte order mark', async () => {
    const json =
      '{"kind":"KubeletConfiguration","apiVersion":"kubelet.config.k8s.io/v1beta1",\n"cgroupDriver":"systemd"}';
    const crlf = `\ufeff${config('cgroupDriver: "systemd"\n').replaceAll('\n', '\r\n')}`;
    for (const [text, line] of [
      [json, 2],
      [crlf, 3],
    ] as const) {
      const { configured } = rowOf(await readNode({ ...NODE, [CONFIG]: text }));
      expect(configured).toMatchObject({ driver: 'systemd', source: { line } });
    }
  });

  it('is not the commented line above', async () => {
    const text = config('#cgroupDriver: "systemd"\ncgroupDriver: "cgroupfs"\n');
    expect(rowOf(await readNode({ ...NODE, [CONFIG]: text })).configured).toMatchObject({
      driver: 'cgroupfs',
      source: { line: 4 },
    });
  });

  it('is the last drop-in of --config-dir that says it, by name, folders within too, and only *.conf', async () => {
    const facts = await readNode({
      ...withCommand(`--config=/etc/kubelet.yaml --config-dir ${D}`),
      '/etc/kubelet.yaml': config('cgroupDriver: systemd\n'),
      [`${D}/10-a.conf`]: config('cgroupDriver: systemd\n'),
      [`${D}/20-b/x.conf`]: config('cgroupDriver: cgroupfs\n'),
      [`${D}/30-c.conf`]: config('maxPods: 10\n'),
      [`${D}/40-d.yaml`]: config('cgroupDriver: systemd\n'),
    });
    const { configured } = rowOf(facts);
    expect(configured).toMatchObject({ driver: 'cgroupfs', source: { path: `${D}/20-b/x.conf` } });
    expect(configured.shadowed.map(({ path, value }) => [path, value])).toEqual([
      [`${D}/10-a.conf`, 'systemd'],
      ['/etc/kubelet.yaml', 'systemd'],
    ]);
  });

  it('is the file again where a drop-in takes back with null what drop-ins before it said', async () => {
    const facts = await readNode({
      ...withCommand(`--config=/etc/kubelet.yaml --config-dir=${D}`),
      '/etc/kubelet.yaml': config('cgroupDriver: systemd\n'),
      [`${D}/1.conf`]: config('cgroupDriver: cgroupfs\n'),
      [`${D}/2.conf`]: config('cgroupDriver: null\n'),
    });
    expect(rowOf(facts).configured).toMatchObject({ driver: 'systemd', source: { path: '/etc/kubelet.yaml' } });
  });

  it('is the flag, which beats every file', async () => {
    const facts = await readNode({
      ...NODE,
      [CONFIG]: config('cgroupDriver: systemd\n'),
      [KUBEADM_FLAGS]: 'KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.2 --cgroup-driver=cgroupfs"\n',
    });
    const { configured } = rowOf(facts);
    expect(configured).toMatchObject({ driver: 'cgroupfs', source: { path: KUBEADM_FLAGS, line: 1 } });
    expect(configured.source.text).toContain('KUBELET_KUBEADM_ARGS');
    expect(configured.shadowed).toMatchObject([{ path: CONFIG, value: 'systemd' }]);
    expect(codesOf(facts)).toContain('kubelet-shadowed');
  });

  it('is the last flag: KUBELET_EXTRA_ARGS stands after KUBELET_KUBEADM_ARGS', async () => {
    const { configured } = rowOf(
      await readNode({
        ...NODE,
        [CONFIG]: config(),
        [KUBEADM_FLAGS]: 'KUBELET_KUBEADM_ARGS="--cgroup-driver=cgroupfs"\n',
        [EXTRA]: 'KUBELET_EXTRA_ARGS=--cgroup-driver=systemd\n',
      }),
    );
    expect(configured).toMatchObject({ driver: 'systemd', source: { path: EXTRA } });
    expect(configured.shadowed).toMatchObject([{ path: KUBEADM_FLAGS, value: 'cgroupfs' }]);
  });

  it('is a flag with underscores and a value in the next word', async () => {
    const { configured } = rowOf(await readNode(withCommand('--cgroup_driver systemd')));
    expect(configured).toMatchObject({ driver: 'systemd', source: { path: '/etc/systemd/system/kubelet.service' } });
  });
});

it('reads no drop-ins through a link, as the kubelet, which is said', async () => {
  const tree = makeTree({
    ...withCommand('--config=/k.yaml --config-dir=/etc/drop-ins'),
    '/k.yaml': config('cgroupDriver: systemd\n'),
    '/etc/real/1.conf': config('cgroupDriver: cgroupfs\n'),
  });
  symlinkSync('real', tree.onHost('/etc/drop-ins'));
  const [facts] = await kubelet.read(hostOf(tree, '1.30'));
  expect(facts && rowOf(facts).configured.driver).toBe('systemd');
  expect(facts && codesOf(facts)).toEqual(['kubelet-linked-folder']);
});

describe('a kubelet that is not there', () => {
  it('is no instance', async () => {
    expect(await kubelet.read(hostOf(makeTree({ '/etc/hostname': 'x\n' }), undefined))).toEqual([]);
  });

  it('is none where its unit is masked', async () => {
    const tree = makeTree({ ...NODE, '/etc/systemd/system/other.service': '' });
    symlinkSync('/dev/null', tree.onHost('/etc/systemd/system/kubelet.service'));
    expect(await kubelet.read(hostOf(tree, '1.30'))).toEqual([]);
  });

  it('waits for kubeadm where the node has not joined, which is a warning and no driver', async () => {
    const facts = await readNode(NODE);
    expect(rowOf(facts).configured.driver).toBeUndefined();
    expect(rowOf(facts).findings).toMatchObject([{ code: 'kubelet-not-joined', severity: 'warning', path: CONFIG }]);
  });
});

describe('a file that the kubelet would not start with', () => {
  const errorOf = async (text: string) => {
    const row = rowOf(await readNode({ ...NODE, [CONFIG]: text }));
    expect(row.configured.driver).toBeUndefined();
    const errors = row.findings.filter(({ severity }) => severity === 'error');
    expect(errors).toHaveLength(1);
    return errors[0];
  };

  it.each([
    ['', 'kubelet-wrong-kind', /is no mapping/],
    ['# nothing\n', 'kubelet-wrong-kind', /is no mapping/],
    ['<html>\n<body>no</body>\n', 'kubelet-wrong-kind', /is no mapping/],
    ['cgroupDriver: systemd\n', 'kubelet-wrong-kind', /kind none and apiVersion none/],
    ['kind: KubeletConfiguration\napiVersion: v1\n', 'kubelet-wrong-kind', /apiVersion "v1"/],
    [config('a: b: c\n'), 'kubelet-syntax', /config\.yaml:3:4: /],
    [config('\tcgroupDriver: systemd\n'), 'kubelet-syntax', /config\.yaml:3:1: /],
    [config('cgroupDriver: true\n'), 'kubelet-wrong-type', /no text/],
    [config('cgroupDriver: [systemd]\n'), 'kubelet-wrong-type', /no text/],
    [
      'apiVersion: machineconfiguration.openshift.io/v1\nkind: KubeletConfig\nspec:\n  kubeletConfig:\n    cgroupDriver: systemd\n',
      'kubelet-wrong-kind',
      /is a "KubeletConfig" of "machineconfiguration\.openshift\.io\/v1"/,
    ],
    [
      `apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n---\n${config('cgroupDriver: systemd\n')}`,
      'kubelet-first-document',
      /reads the first one only/,
    ],
  ])('%j', async (text, code, message) => {
    const error = await errorOf(text);
    expect(error).toMatchObject({ code, path: CONFIG, message: expect.stringMatching(message) });
  });

  it('reads the first of several documents', async () => {
    const text = `${config('cgroupDriver: systemd\n')}---\nkind: ClusterConfiguration\n`;
    expect(rowOf(await readNode({ ...NODE, [CONFIG]: text })).configured.driver).toBe('systemd');
  });

  it('is any drop-in without kind', async () => {
    const facts = await readNode({
      ...withCommand(`--config-dir=${D}`),
      [`${D}/a.conf`]: config('cgroupDriver: systemd\n'),
      [`${D}/b.conf`]: 'maxPods: 5\n',
    });
    expect(rowOf(facts).configured.driver).toBeUndefined();
    expect(rowOf(facts).findings).toMatchObject([{ code: 'kubelet-wrong-kind', path: `${D}/b.conf` }]);
  });

  it('is one that --config names and that is not there', async () => {
    const facts = await readNode(withCommand('--config=/etc/kubelet.yaml'));
    expect(rowOf(facts).findings).toMatchObject([{ code: 'kubelet-no-config', severity: 'error' }]);
  });

  it.each([
    ['1.27.3', '', true],
    ['1.29.0', '', true],
    ['1.29.0', 'Environment=KUBELET_CONFIG_DROPIN_DIR_ALPHA=on\n', false],
    ['1.30.0', '', false],
  ])('is a folder of drop-ins for %s with %j in the unit: %s', async (version, environment, isFault) => {
    const unit = `[Service]\n${environment}ExecStart=/usr/bin/kubelet --config-dir=${D}\n`;
    const files = { '/etc/systemd/system/kubelet.service': unit, [`${D}/a.conf`]: config('cgroupDriver: systemd\n') };
    const facts = await readNode(files, version);
    expect(rowOf(facts).configured.driver).toBe(isFault ? undefined : 'systemd');
    expect(codesOf(facts).includes('kubelet-config-dir')).toBe(isFault);
  });
});

describe('findings', () => {
  it.each(['Systemd', 'system', 'none', "'systemd'"])('names %s, which a kubelet takes for cgroupfs', async (value) => {
    const facts = await readNode({ ...NODE, [CONFIG]: config(`cgroupDriver: ${JSON.stringify(value)}\n`) });
    expect(rowOf(facts).configured.driver).toBe('cgroupfs');
    const finding = rowOf(facts).findings.find(({ code }) => code === 'kubelet-wrong-value');
    expect(finding).toMatchObject({ severity: 'error', path: CONFIG, line: 3, column: 1 });
    expect(finding?.hint?.includes('quotes')).toBe(value.startsWith("'"));
  });

  it('names the key twice, of which the last counts', async () => {
    const facts = await readNode({ ...NODE, [CONFIG]: config('cgroupDriver: cgroupfs\ncgroupDriver: systemd\n') });
    expect(rowOf(facts).configured).toMatchObject({ driver: 'systemd', source: { line: 4 } });
    expect(rowOf(facts).findings).toMatchObject([{ code: 'kubelet-duplicate-key', line: 4, column: 1 }]);
  });

  it.each([
    'cgroupdriver',
    'CgroupDriver',
    'cgroup-driver',
    'cgroup_driver',
  ])('names %s, which is no key', async (key) => {
    const facts = await readNode({ ...NODE, [CONFIG]: config(`${key}: systemd\n`) });
    expect(rowOf(facts).configured).toMatchObject({ driver: 'cgroupfs', source: { kind: 'default' } });
    expect(rowOf(facts).findings).toMatchObject([{ code: 'kubelet-unknown-key', line: 3 }]);
  });

  it.each([
    ['kubeReservedCgroup: /kubelet.slice', 'kubelet-doubled-slice'],
    ['cgroupRoot: /pods.slice', 'kubelet-doubled-slice'],
    ['systemReservedCgroup: system', 'kubelet-relative-cgroup'],
    ['cgroupsPerQOS: false', 'kubelet-refuses'],
    ['enforceNodeAllocatable: [pods, system-reserved]', 'kubelet-refuses'],
    ['enforceNodeAllocatable: [kube-reserved-compressible]', 'kubelet-refuses'],
    ['reservedSystemCPUs: 0-1\nsystemReservedCgroup: /system', 'kubelet-refuses'],
    ['cpuManagerPolicy: static', 'kubelet-refuses'],
    ['cpuManagerPolicy: static\nsystemReserved: {cpu: "0", memory: 1Gi}', 'kubelet-refuses'],
  ])('names what is wrong with %j', async (lines, code) => {
    expect(codesOf(await readNode({ ...NODE, [CONFIG]: config(`${lines}\n`) }))).toEqual([code]);
  });

  it.each([
    'kubeReservedCgroup: /runtime\nsystemReservedCgroup: /system\nenforceNodeAllocatable: [pods, kube-reserved, system-reserved]',
    'cgroupsPerQOS: false\nenforceNodeAllocatable: []',
    'cgroupsPerQOS: false\nenforceNodeAllocatable: [none]',
    'cpuManagerPolicy: static\nreservedSystemCPUs: "0"',
    'cpuManagerPolicy: static\nkubeReserved:\n  cpu: 70m',
    'cgroupRoot: /',
  ])('has nothing to say of %j', async (lines) => {
    expect(codesOf(await readNode({ ...NODE, [CONFIG]: config(`${lines}\n`) }))).toEqual([]);
  });

  it('reads fields of flags too', async () => {
    const words = '--cgroups-per-qos=false --enforce-node-allocatable= --kube-reserved-cgroup=/kubelet.slice';
    expect(codesOf(await readNode(withCommand(words)))).toEqual(['kubelet-doubled-slice']);
    expect(codesOf(await readNode(withCommand('--cgroups-per-qos=false')))).toEqual(['kubelet-refuses']);
    expect(
      codesOf(await readNode(withCommand('--cpu-manager-policy=static --kube-reserved=memory=1Gi,cpu=70m'))),
    ).toEqual([]);
  });

  it('says that an unknown version leaves open who decides', async () => {
    const [facts] = await kubelet.read(hostOf(makeTree({ ...NODE, [CONFIG]: config() }), undefined));
    expect(facts && codesOf(facts)).toEqual(['kubelet-version-unknown']);
  });
});

it('takes the version that is assumed before that of the package', async () => {
  const status = 'Package: kubelet\nStatus: install ok installed\nVersion: 1.29.3-1.1\n';
  const files = { ...NODE, [CONFIG]: config(), '/var/lib/dpkg/status': status };
  expect((await readNode(files)).version).toBe('1.29.3');
  expect((await readNode(files, '1.33')).version).toBe('1.33');
});

describe('whatever is written', () => {
  it('is read without an exception, and planned or refused', async () => {
    const odd = fc.string({
      unit: fc.constantFrom(...'a:- {}[]"\'\n\t&*!|>#,%=', 'cgroupDriver', 'systemd', 'kind', '--- ', '\u0000'),
    });
    const text = fc.oneof(odd, odd.map(config), fc.string());
    await fc.assert(
      fc.asyncProperty(text, text, odd, async (main, dropIn, words) => {
        const unit = `[Service]\nExecStart=/usr/bin/kubelet --config=/k --config-dir=/d ${words.replaceAll('\n', ' ')}\n`;
        const files = { '/etc/systemd/system/kubelet.service': unit, '/k': main, '/d/1.conf': dropIn };
        const facts = await readNode(files);
        expect(facts.command.unit).toBe('kubelet.service');
        rowOf(facts);
        const { files: steps, refusals } = kubelet.plan(facts, request('systemd'), []);
        if (refusals.length > 0) expect(steps).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('is a finding where it cannot be read at all', async () => {
    const facts = await readNode({ ...NODE, [`${CONFIG}/x`]: '' });
    expect(rowOf(facts).findings).toMatchObject([{ code: 'kubelet-unreadable', severity: 'error', path: CONFIG }]);
  });
});
