import type { OsRelease } from '../../host/os-release.ts';
import type { RootTree } from '../../host/root-tree.ts';

/** A kind of host, or a part of one, whose configuration is made by something else than its files. */
export interface Place {
  /** `Talos`, `the Docker snap`. */
  readonly name: string;
  /** What in the tree says that this is one; any of them is enough. */
  readonly marks: readonly string[];
  /** Whether os-release says so. */
  readonly system?: (release: OsRelease) => boolean;
  /** Files and folders that are made again or cannot be written; a folder ends in `/`. */
  readonly prefixes: readonly string[];
  /** Below {@link prefixes}, and all the same somebody's own: the ends of such names. */
  readonly own?: readonly string[];
  /** Who makes them: `Talos makes all files of the host from its machine configuration`. */
  readonly reason: string;
  /** What to do there instead. */
  readonly advice: string;
}

const RANCHER = (name: string, title: string): Place => ({
  name: title,
  marks: [`/etc/rancher/${name}`, `/var/lib/rancher/${name}`],
  prefixes: [`/var/lib/rancher/${name}/agent/etc/`],
  own: ['.tmpl'],
  reason: `${title} makes this file again at each of its starts`,
  advice: `set the kubelet in /etc/rancher/${name}/config.yaml by kubelet-arg and containerd by a template beside its config.toml, such as config-v3.toml.tmpl`,
});

/**
 * All that slicectl recognises and does not edit. Most general last: the first that forbids a path is the one that is
 * told. Sources: each project's own documentation of how its configuration is set.
 */
export const PLACES: readonly Place[] = [
  {
    name: 'MicroK8s',
    marks: ['/var/snap/microk8s'],
    prefixes: ['/var/snap/microk8s/', '/snap/microk8s/'],
    reason: 'MicroK8s keeps its configuration in its snap and takes it along with each revision',
    advice:
      'edit /var/snap/microk8s/current/args/kubelet and args/containerd-template.toml by hand, drain the node and run `snap restart microk8s`',
  },
  {
    name: 'the Docker snap',
    marks: ['/var/snap/docker', '/snap/docker'],
    prefixes: ['/var/snap/docker/', '/snap/docker/'],
    reason: "the Docker snap keeps its daemon.json in a folder of the snap's revision",
    advice:
      'edit /var/snap/docker/current/config/daemon.json by hand and run `snap restart docker`, or install Docker from a package',
  },
  RANCHER('k3s', 'k3s'),
  RANCHER('rke2', 'RKE2'),
  {
    name: 'Docker Desktop',
    marks: ['/opt/docker-desktop', '/mnt/wsl/docker-desktop'],
    prefixes: ['/opt/docker-desktop/', '/mnt/wsl/docker-desktop/'],
    reason: 'Docker Desktop runs its engine in a machine of its own and does not read this file',
    advice: 'set it in Docker Desktop under Settings, Docker Engine',
  },
  {
    name: 'EKS with nodeadm',
    marks: ['/usr/bin/nodeadm', '/etc/eks/nodeadm.d'],
    prefixes: ['/etc/containerd/config.toml', '/etc/kubernetes/kubelet/config.json'],
    reason: 'nodeadm makes this file again at each boot',
    advice: "set it in the NodeConfig of the node group's user data; nodeadm itself uses systemd everywhere",
  },
  {
    name: 'a kind node',
    marks: ['/kind/version'],
    prefixes: ['/etc/', '/var/lib/kubelet/', '/kind/'],
    reason: 'kind makes the configuration of this node when it creates the cluster',
    advice:
      "create the cluster again with containerdConfigPatches and kubeadmConfigPatches in the cluster's configuration",
  },
  {
    name: 'a minikube node',
    marks: ['/kic.txt'],
    system: ({ id, prettyName }) => id === 'buildroot' && /minikube/i.test(prettyName ?? ''),
    prefixes: ['/etc/', '/var/lib/kubelet/'],
    reason: 'minikube writes the configuration of this node at each of its starts',
    advice: 'start it with `minikube start --force-systemd=true`',
  },
  {
    name: 'minikube on this host',
    marks: ['/var/lib/minikube'],
    prefixes: ['/var/lib/kubelet/', '/var/lib/minikube/'],
    reason: "minikube writes the kubelet's configuration at each of its starts",
    advice: 'start it with `minikube start --extra-config=kubelet.cgroup-driver=systemd`',
  },
  {
    name: 'OpenShift',
    marks: ['/etc/machine-config-daemon'],
    prefixes: ['/etc/', '/var/lib/kubelet/', '/usr/'],
    reason: "OpenShift's machine-config daemon owns this file and takes the node for broken when it differs",
    advice: 'change it for the pool by a ContainerRuntimeConfig, a KubeletConfig or a MachineConfig',
  },
  {
    name: 'Bottlerocket',
    marks: [],
    system: ({ id }) => id === 'bottlerocket',
    prefixes: ['/'],
    reason: 'Bottlerocket makes all configuration of the host from its settings',
    advice: 'change the settings by `apiclient set` or the user data; Bottlerocket itself uses systemd everywhere',
  },
  {
    name: 'Talos',
    marks: [],
    system: ({ id }) => id === 'talos',
    prefixes: ['/'],
    reason: 'Talos makes all files of the host from its machine configuration',
    advice: 'change it by `talosctl patch machineconfig`',
  },
  {
    name: 'Container-Optimized OS',
    marks: [],
    system: ({ id }) => id === 'cos',
    prefixes: ['/'],
    reason: 'Container-Optimized OS forgets changes of its files at the next boot',
    advice: "set it in the node pool's system configuration (linuxConfig.cgroupMode) or by cloud-init",
  },
  {
    name: 'NixOS',
    marks: ['/etc/NIXOS'],
    system: ({ id }) => id === 'nixos',
    prefixes: ['/etc/', '/nix/'],
    reason: 'NixOS makes /etc from its configuration',
    advice:
      'set it in configuration.nix, for Docker by virtualisation.docker.daemon.settings.exec-opts, and run `nixos-rebuild switch`',
  },
];

/** Where links must not lead, on any host: what is there belongs to a package or a store. A folder ends in `/`. */
export const NOT_OURS: readonly {
  readonly prefixes: readonly string[];
  readonly except?: readonly string[];
  readonly reason: string;
  readonly hint: string;
}[] = [
  {
    prefixes: ['/nix/store/', '/gnu/store/'],
    reason: 'it is in a store that is never written to',
    hint: 'change it in the configuration that the store is made from, such as configuration.nix',
  },
  {
    prefixes: ['/snap/'],
    reason: 'it is part of a snap, which cannot be written to',
    hint: "set it by the snap's own configuration",
  },
  {
    prefixes: ['/usr/', '/lib/', '/lib64/', '/bin/', '/sbin/'],
    except: ['/usr/local/'],
    reason: 'it belongs to a package, whose next upgrade would take the change back',
    hint: 'replace the link by a file of your own in /etc',
  },
];

/** Whether a tree is such a place, and by what one sees it. */
export function markOf(tree: RootTree, place: Place, release: OsRelease | undefined): string | undefined {
  const mark = place.marks.find((path) => tree.kind(path) !== 'absent');
  if (mark !== undefined) return mark;
  return release !== undefined && place.system?.(release) ? release.path : undefined;
}
