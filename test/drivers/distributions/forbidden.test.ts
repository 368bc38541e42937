import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forbidden } from '../../../src/drivers/distributions/forbidden.ts';
import { recognise } from '../../../src/drivers/distributions/recognise.ts';
import { RootTree } from '../../../src/host/root-tree.ts';

let root: string;
const tree = () => new RootTree(root);
const names = () => recognise(tree()).map(({ name }) => name);
const mayEdit = (path: string) => forbidden(tree(), path) === undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-places-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function link(path: string, to: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(to, join(root, path));
}

describe('a usual host', () => {
  beforeEach(() => put('etc/os-release', 'ID=debian\nVERSION_ID=12\n'));

  it('is nothing special', () => expect(recognise(tree())).toEqual([]));

  it.each([
    '/etc/docker/daemon.json',
    '/etc/systemd/system/docker.service.d/99-slicectl.conf',
    '/var/lib/kubelet/config.yaml',
    '/home/alice/.config/docker/daemon.json',
    '/usr/local/etc/docker.json',
  ])('lets %s be edited', (path) => expect(mayEdit(path)).toBe(true));

  it.each([
    '/usr/lib/systemd/system/docker.service',
    '/usr/share/containers/containers.conf',
    '/lib/systemd/system/docker.service',
  ])("does not let a package's %s be edited", (path) => expect(forbidden(tree(), path)?.reason).toMatch(/package/));

  it('follows a link before it decides, and names both ends', () => {
    link('etc/docker/daemon.json', '../../usr/share/docker/daemon.json');
    expect(forbidden(tree(), '/etc/docker/daemon.json')?.reason).toBe(
      '"/etc/docker/daemon.json", which leads to "/usr/share/docker/daemon.json", is not edited: it belongs to a package, whose next upgrade would take the change back',
    );
  });

  it('follows a link of a folder above', () => {
    link('etc/docker', '/nix/store/abc-docker');
    expect(forbidden(tree(), '/etc/docker/daemon.json')?.reason).toMatch(/store that is never written/);
  });

  it("lets a file be edited that a link of the administrator's leads to", () => {
    link('etc/docker/daemon.json', '/srv/dotfiles/daemon.json');
    expect(mayEdit('/etc/docker/daemon.json')).toBe(true);
  });
});

describe.each([
  ['Bottlerocket', 'ID=bottlerocket\n', '/etc/containerd/config.toml', /apiclient/],
  ['Talos', 'ID=talos\n', '/var/lib/kubelet/config.yaml', /talosctl/],
  ['NixOS', 'ID=nixos\n', '/etc/docker/daemon.json', /configuration\.nix/],
  ['Container-Optimized OS', 'ID=cos\n', '/etc/docker/daemon.json', /node pool/],
])('%s', (name, release, path, advice) => {
  it('is recognised by os-release, and says what to do instead', () => {
    put('etc/os-release', release);
    expect(recognise(tree())).toMatchObject([{ name, why: '/etc/os-release' }]);
    expect(forbidden(tree(), path)?.hint).toMatch(advice);
  });
});

describe.each([
  ['OpenShift', 'etc/machine-config-daemon/currentconfig', '/etc/crio/crio.conf.d/99-slicectl.conf', /MachineConfig/],
  [
    'OpenShift',
    'etc/machine-config-daemon/currentconfig',
    '/etc/systemd/system/kubelet.service.d/9.conf',
    /MachineConfig/,
  ],
  ['NixOS', 'etc/NIXOS', '/etc/containerd/config.toml', /nixos-rebuild/],
  ['a kind node', 'kind/version', '/etc/containerd/config.toml', /containerdConfigPatches/],
  ['a minikube node', 'kic.txt', '/etc/docker/daemon.json', /force-systemd/],
  ['EKS with nodeadm', 'usr/bin/nodeadm', '/etc/containerd/config.toml', /NodeConfig/],
  ['k3s', 'var/lib/rancher/k3s/x', '/var/lib/rancher/k3s/agent/etc/containerd/config.toml', /kubelet-arg/],
  ['k3s', 'var/lib/rancher/k3s/x', '/var/lib/rancher/k3s/agent/etc/kubelet.conf.d/00-k3s-defaults.conf', /kubelet-arg/],
  ['RKE2', 'etc/rancher/rke2/config.yaml', '/var/lib/rancher/rke2/agent/etc/containerd/config.toml', /kubelet-arg/],
  ['MicroK8s', 'var/snap/microk8s/x', '/var/snap/microk8s/current/args/kubelet', /snap restart microk8s/],
  ['the Docker snap', 'var/snap/docker/x', '/var/snap/docker/current/config/daemon.json', /snap restart docker/],
  ['Docker Desktop', 'opt/docker-desktop/x', '/opt/docker-desktop/daemon.json', /Settings/],
])('%s', (name, mark, path, advice) => {
  it(`is recognised by ${mark}, does not let ${path} be edited and says what to do instead`, () => {
    put(mark);
    expect(names()).toContain(name);
    expect(forbidden(tree(), path)?.hint).toMatch(advice);
  });
});

it.each([
  ['k3s', 'var/lib/rancher/k3s/x'],
  ['the Docker snap', 'var/snap/docker/x'],
  ['Docker Desktop', 'opt/docker-desktop/x'],
  ['EKS with nodeadm', 'usr/bin/nodeadm'],
])('on a host with %s the usual Docker may be edited', (_, mark) => {
  put(mark);
  expect(mayEdit('/etc/docker/daemon.json')).toBe(true);
});

it("a template of k3s is the administrator's own", () => {
  put('var/lib/rancher/k3s/x');
  expect(mayEdit('/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl')).toBe(true);
});

it('a folder whose name only begins like a forbidden one may be edited', () => {
  put('var/snap/docker/x');
  expect(mayEdit('/var/snap/docker-mine/daemon.json')).toBe(true);
});

it('a loop of links forbids nothing by itself: the step that would write there fails with its own reason', () => {
  link('etc/docker/daemon.json', 'daemon.json');
  expect(mayEdit('/etc/docker/daemon.json')).toBe(true);
});
