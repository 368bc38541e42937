import type { RootTree } from '../../host/root-tree.ts';
import type { YamlFile } from '../formats/yaml.ts';
import type { Finding, Observed, ObservedDriver, RuntimeName } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import type { FlagUse } from '../service/flags.ts';

/** A file of configuration that the kubelet reads. */
export interface ConfigLayer {
  readonly kind: 'config' | 'drop-in';
  readonly path: string;
  readonly file: YamlFile;
  readonly mtimeMs: number;
}

/** Everything that a kubelet reads at its next start. */
export interface KubeletSettings {
  /** Uses of each flag that also is a field, by the field, in the order of the command line. */
  readonly flags: ReadonlyMap<string, readonly FlagUse[]>;
  /** In the order in which they are read: the file of `--config`, then the drop-ins of `--config-dir`. */
  readonly layers: readonly ConfigLayer[];
  /** The folder of `--config-dir`, where the kubelet reads it. */
  readonly configDir: string | undefined;
  /** Why the kubelet does not start with these files, and what it warns of when it reads them. */
  readonly findings: readonly Finding[];
  /** `--config` names kubeadm's file, which `kubeadm init` or `join` has not written yet. */
  readonly notJoined: boolean;
}

/** The runtime whose driver the kubelet takes over: KubeletCgroupDriverFromCRI, KEP-4033. */
export interface Followed {
  readonly runtime: RuntimeName;
  /** What it says, or what its files say where it cannot be asked; undefined where neither is known. */
  readonly driver: ObservedDriver | undefined;
  readonly how: 'cri' | 'files' | 'unknown';
  /** In words: `RuntimeConfig of containerd on /run/containerd/containerd.sock`. */
  readonly text: string;
}

/** The kubelet's process and unit as they are now. */
export interface KubeletRun {
  readonly activeState: string;
  readonly subState: string;
  readonly needDaemonReload: boolean;
  /** Whether a kubelet process is there. */
  readonly isRunning: boolean;
  /** In milliseconds since 1970. */
  readonly startedMs: number | undefined;
  readonly observed: Observed | undefined;
  /** Pods on this host, by `namespace/name` or uid. */
  readonly pods: readonly string[];
}

export interface KubeletFacts {
  readonly tree: RootTree;
  readonly command: ServiceCommand;
  readonly settings: KubeletSettings;
  /** Without the leading `v`; undefined if unknown. */
  readonly version: string | undefined;
  /** Where the kubelet reaches its runtime, as a path; undefined for what is no unix socket. */
  readonly socket: string | undefined;
  /** Undefined where the kubelet's own setting counts. */
  readonly followed: Followed | undefined;
  /** Set where the kubelet would take its driver from the runtime and the runtime does not tell it. */
  readonly runtimeTellsNothing: string | undefined;
  /** Undefined with `--root`. */
  readonly run: KubeletRun | undefined;
  /** Whether the host itself has cgroup v1 alone; undefined with `--root`. */
  readonly isV1: boolean | undefined;
  /** Whether kubeadm keeps this node's files. */
  readonly isKubeadm: boolean;
}
