import type { Source } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import { type FlagUse, findFlags } from '../service/flags.ts';
import type { ConfigLayer, KubeletSettings } from './facts.ts';

/** A field's value in one of the places that set it. */
export interface Setting {
  readonly value: unknown;
  readonly source: Source;
  readonly flag?: FlagUse;
  readonly layer?: ConfigLayer;
}

/**
 * Fields of the KubeletConfiguration that are flags too (cmd/kubelet/app/options/options.go: AddKubeletConfigFlags), as
 * far as they matter for cgroups and CPUs.
 */
const FLAGS: Readonly<Record<string, string>> = {
  cgroupDriver: 'cgroup-driver',
  cgroupRoot: 'cgroup-root',
  cgroupsPerQOS: 'cgroups-per-qos',
  containerRuntimeEndpoint: 'container-runtime-endpoint',
  cpuManagerPolicy: 'cpu-manager-policy',
  cpuManagerPolicyOptions: 'cpu-manager-policy-options',
  enforceNodeAllocatable: 'enforce-node-allocatable',
  featureGates: 'feature-gates',
  healthzPort: 'healthz-port',
  kubeletCgroups: 'kubelet-cgroups',
  kubeReserved: 'kube-reserved',
  kubeReservedCgroup: 'kube-reserved-cgroup',
  reservedSystemCPUs: 'reserved-cpus',
  systemReserved: 'system-reserved',
  systemReservedCgroup: 'system-reserved-cgroup',
  topologyManagerPolicy: 'topology-manager-policy',
};

/** A kubelet takes `_` for `-` in the names of its flags (cliflag.WordSepNormalizeFunc). */
export function flagUses(command: ServiceCommand, flag: string): readonly FlagUse[] {
  return findFlags(command, [`--${flag}`, `--${flag.replaceAll('-', '_')}`]);
}

export function fieldFlags(command: ServiceCommand): ReadonlyMap<string, readonly FlagUse[]> {
  return new Map(Object.entries(FLAGS).map(([field, flag]) => [field, flagUses(command, flag)]));
}

/**
 * Every place that sets a field, the one that counts first: the last flag, the last drop-in, the file. A drop-in's null
 * takes back what drop-ins before it say and not what the file says, since they are merged as JSON patches over it
 * (cmd/kubelet/app/server.go: mergeKubeletConfigurations).
 */
export function placesOf({ flags, layers }: KubeletSettings, field: string): readonly Setting[] {
  const fromFlags = [...(flags.get(field) ?? [])].reverse().map((flag): Setting => {
    const { source } = flag;
    return { value: flag.value, flag, source: { ...source, text: `${flag.name} in ${source.text}` } };
  });
  const found = layers.flatMap((layer): Setting[] => {
    const entry = layer.file.get([field]);
    if (!entry) return [];
    const { line, column, value } = entry;
    const place = layer.kind === 'config' ? 'the file of --config' : 'a drop-in of --config-dir';
    const source: Source = { kind: 'file', path: layer.path, line, column, text: `${field} in ${place}` };
    return [{ value, layer, source }];
  });
  const lastNull = found.findLastIndex(({ value, layer }) => value === null && layer?.kind === 'drop-in');
  const fromFiles = found.filter(
    ({ value, layer }, at) => value !== null && (at > lastNull || layer?.kind === 'config'),
  );
  return [...fromFlags, ...fromFiles.reverse()];
}

/** The value that counts, or undefined where only the kubelet's default does. An empty text is none for a kubelet. */
export function settingOf(settings: KubeletSettings, field: string): Setting | undefined {
  const [first] = placesOf(settings, field);
  return first?.value === '' ? undefined : first;
}

/** A value of text, or undefined. */
export function textOf(settings: KubeletSettings, field: string): string | undefined {
  const value = settingOf(settings, field)?.value;
  return typeof value === 'string' ? value : undefined;
}

/** A value of true or false, which a flag has as a word of its own or not at all. */
export function booleanOf(settings: KubeletSettings, field: string): boolean | undefined {
  const setting = settingOf(settings, field);
  if (setting === undefined) return undefined;
  if (setting.flag) return setting.flag.words.length > 1 || !/^(f|false|0)$/i.test(setting.flag.value);
  return typeof setting.value === 'boolean' ? setting.value : undefined;
}

/**
 * A feature gate as flags and files set it, or undefined where only its default counts. Gates are merged one by one, and
 * those of flags win (cmd/kubelet/app/server.go: kubeletConfigFlagPrecedence).
 */
export function gateOf(settings: KubeletSettings, gate: string): boolean | undefined {
  const words = (settings.flags.get('featureGates') ?? []).flatMap(({ value }) => value.split(','));
  const word = words.findLast((each) => each.split('=')[0]?.trim() === gate);
  if (word !== undefined) return !/=\s*(f|false|0)\s*$/i.test(word);
  for (const { file } of [...settings.layers].reverse()) {
    const value = file.get(['featureGates', gate])?.value;
    if (typeof value === 'boolean') return value;
  }
  return undefined;
}
