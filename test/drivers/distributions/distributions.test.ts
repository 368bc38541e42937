import { describe, expect, it } from 'vitest';
import { distributions } from '../../../src/drivers/distributions/distributions.ts';
import { k3s, rke2 } from '../../../src/drivers/distributions/rancher.ts';
import { request, still, useTree } from '../trees.ts';

const files = useTree();
const TEMPLATES = '/var/lib/rancher/k3s/agent/etc/containerd';
const MICROK8S = '/var/snap/microk8s/current/args';

/** The one distribution of the tree with its row. */
async function found() {
  const all = await Promise.all(
    distributions.map(async (each) => (await each.read(still(files.tree))).map((facts) => ({ each, facts }))),
  );
  const [only] = all.flat();
  if (only === undefined) throw new Error('none was found');
  const { each, facts } = only;
  const [row] = each.status(facts);
  if (row === undefined) throw new Error('no row');
  return { row, plan: (to: 'systemd' | 'cgroupfs') => each.plan(facts, request(to), []) };
}
const unit = (options = '', name = 'k3s') =>
  files.put(`/etc/systemd/system/${name}.service`, `[Service]\nExecStart=/usr/local/bin/${name} server ${options}\n`);

it('none is there on a usual host', async () => {
  for (const each of distributions) expect(await each.read(still(files.tree))).toEqual([]);
});

describe('k3s', () => {
  it('has systemd where systemd starts it', async () => {
    unit();
    expect((await found()).row).toMatchObject({
      runtime: 'k3s',
      unit: 'k3s.service',
      configured: { driver: 'systemd' },
    });
  });

  it('has cgroupfs where it is started by hand, and is told to be started by systemd', async () => {
    files.put('/usr/local/bin/k3s');
    const { row, plan } = await found();
    expect(row.configured.driver).toBe('cgroupfs');
    expect(plan('systemd').refusals).toMatchObject([{ hint: expect.stringContaining('let systemd start k3s') }]);
  });

  it('is never edited: a plan for what it has is empty, another one is refused with what to do', async () => {
    unit();
    const { plan } = await found();
    expect(plan('systemd')).toMatchObject({ files: [], before: [], after: [], refusals: [] });
    expect(plan('cgroupfs')).toMatchObject({
      files: [],
      refusals: [{ hint: expect.stringMatching(/config-v3\.toml\.tmpl.*kubelet-arg: cgroup-driver=cgroupfs/) }],
    });
  });

  it("has what an administrator's template says, the one for containerd 2 first, and not what is commented out", async () => {
    unit();
    files.put(`${TEMPLATES}/config.toml.tmpl`, '[x]\n  SystemdCgroup = false\n');
    expect((await found()).row.configured).toMatchObject({
      driver: 'cgroupfs',
      source: { path: `${TEMPLATES}/config.toml.tmpl`, line: 2 },
    });
    files.put(`${TEMPLATES}/config-v3.toml.tmpl`, '{{ template "base" . }}\n# SystemdCgroup = false\n');
    expect((await found()).row.configured).toMatchObject({ driver: 'systemd', source: { kind: 'default' } });
  });

  it.each([
    ['a list', 'kubelet-arg:\n  - v=2\n  - "cgroup-driver=cgroupfs"\n'],
    ['one text', 'token: x\nkubelet-arg: cgroup-driver=cgroupfs\n'],
  ])('a kubelet-arg that makes its kubelet differ is told, as %s', async (_, text) => {
    unit();
    files.put('/etc/rancher/k3s/config.yaml', text);
    expect((await found()).row.findings).toMatchObject([
      { code: 'rancher-kubelet-differs', path: '/etc/rancher/k3s/config.yaml', line: expect.any(Number) },
    ]);
  });

  it('a later file replaces kubelet-arg, with a plus it adds, and the command line comes last', async () => {
    unit();
    files.put('/etc/rancher/k3s/config.yaml', 'kubelet-arg: [cgroup-driver=cgroupfs]\n');
    files.put('/etc/rancher/k3s/config.yaml.d/10.yaml', 'kubelet-arg+: [v=2]\n');
    expect((await found()).row.findings).toHaveLength(1);
    files.put('/etc/rancher/k3s/config.yaml.d/20.yaml', 'kubelet-arg: [v=2]\n');
    expect((await found()).row.findings).toEqual([]);
    unit('--kubelet-arg=cgroup-driver=cgroupfs');
    expect((await found()).row.findings).toMatchObject([
      { code: 'rancher-kubelet-differs', path: '/etc/systemd/system/k3s.service' },
    ]);
  });

  it.each([
    ['a flag', '--docker', ''],
    ['its file', '', 'docker: true\n'],
  ])('with Docker by %s is told', async (_, options, config) => {
    unit(options);
    files.put('/etc/rancher/k3s/config.yaml', config);
    expect((await found()).row.findings).toMatchObject([{ code: 'k3s-docker' }]);
  });

  it('a configuration that is no YAML is an error with its place', async () => {
    unit();
    files.put('/etc/rancher/k3s/config.yaml', 'kubelet-arg: [\n');
    expect((await found()).row).toMatchObject({
      configured: { driver: undefined },
      findings: [
        { severity: 'error', code: 'rancher-fault', path: '/etc/rancher/k3s/config.yaml', line: expect.any(Number) },
      ],
    });
  });

  it('with another data folder is found there', async () => {
    unit('--data-dir /srv/k3s');
    files.put('/srv/k3s/agent/etc/containerd/config.toml.tmpl', 'SystemdCgroup = false\n');
    expect((await found()).row.configured.driver).toBe('cgroupfs');
  });

  it('where there is no cpuset controller has cgroupfs', async () => {
    unit();
    files.put('/sys/fs/cgroup/cgroup.controllers', 'cpu io memory pids\n');
    const paths = { proc: '/proc', sys: `${files.root}/sys`, etc: '/etc', run: '/run' };
    const [facts] = await k3s.read({ ...still(files.tree), live: { paths, system: undefined, user: undefined } });
    expect(facts?.row.configured.driver).toBe('cgroupfs');
  });
});

it('RKE2 is the same in its own places', async () => {
  unit('', 'rke2-agent');
  files.put('/etc/rancher/rke2/config.yaml', 'kubelet-arg: [cgroup-driver=cgroupfs]\n');
  const [facts] = await rke2.read(still(files.tree));
  expect(facts?.row).toMatchObject({
    runtime: 'rke2',
    unit: 'rke2-agent.service',
    findings: [{ code: 'rancher-kubelet-differs', path: '/etc/rancher/rke2/config.yaml' }],
  });
});

describe('MicroK8s', () => {
  const template = (options: string) =>
    files.put(
      `${MICROK8S}/containerd-template.toml`,
      `version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd]\n  default_runtime_name = "\${RUNTIME}"\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\n  runtime_type = "\${RUNTIME_TYPE}"\n${options}`,
    );

  it('has cgroupfs where nothing says another, with the version of its snap', async () => {
    template('');
    files.put(`${MICROK8S}/kubelet`, '--kubeconfig=x\n');
    files.put('/snap/microk8s/current/meta/snap.yaml', 'name: microk8s\nversion: v1.30.4\n');
    expect((await found()).row).toMatchObject({
      runtime: 'microk8s',
      version: '1.30.4',
      configured: { driver: 'cgroupfs' },
      findings: [],
    });
  });

  it('whose kubelet and containerd differ is told, and a plan says what to do by hand', async () => {
    template('[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n');
    files.put(`${MICROK8S}/kubelet`, '# x\n--cgroup-driver="cgroupfs"\n');
    const { row, plan } = await found();
    expect(row).toMatchObject({
      configured: { driver: 'systemd', source: { line: 7 } },
      findings: [{ code: 'microk8s-kubelet-differs', path: `${MICROK8S}/kubelet`, line: 2 }],
    });
    expect(plan('cgroupfs').refusals).toMatchObject([{ hint: expect.stringContaining('snap restart microk8s') }]);
  });
});
