import { quote } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { faultOf, isClosed, unreadable } from '../faults.ts';
import { findString, type GoTomlFile, keyText, readGoToml, strayKeys } from '../formats/go-toml.ts';
import type { Configured, Finding, ObservedDriver, Source } from '../model.ts';
import { CGROUP_DRIVERS } from '../model.ts';
import { type Layer, layersOf, type PodmanUser } from './layers.ts';
import type { PodmanRules } from './versions.ts';

export const MANAGER_KEY = ['engine', 'cgroup_manager'] as const;

/** One place that sets podman's cgroup manager. */
export interface Setting extends Layer {
  readonly value: string;
  readonly line: number;
  readonly column: number;
}

/** What the files say, together. */
export interface Settings {
  readonly layers: readonly Layer[];
  /** In the order in which they are read: the last one counts. */
  readonly values: readonly Setting[];
  readonly findings: readonly Finding[];
}

export interface DefaultDriver {
  readonly driver: ObservedDriver;
  /** Why it is that. */
  readonly text: string;
}

/** Reads all layers. A file that podman would refuse is a finding of severity error; then no podman of that user starts. */
export function readSettings(tree: RootTree, rules: PodmanRules, user: PodmanUser): Settings {
  const findings: Finding[] = [];
  const consequence = 'no podman command works';
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      findings.push(!user.isSelf && isClosed(error) ? unreadable(error) : faultOf(error, 'podman-fault', consequence));
      return undefined;
    }
  };
  const layers = attempt(() => layersOf(tree, rules, user)) ?? [];
  const values: Setting[] = [];
  for (const layer of layers) {
    const file = attempt(() => readGoToml(tree, layer.path));
    if (file === undefined) {
      if (layer.required && attempt(() => tree.kind(layer.path)) === 'absent') {
        findings.push(missing(layer, consequence));
      }
      continue;
    }
    findings.push(...strays(file));
    const found = attempt(() => findString(file, MANAGER_KEY));
    if (found) values.push({ ...layer, value: found.value, line: found.line, column: found.column });
  }
  const last = values.at(-1);
  if (last !== undefined && !isDriver(last.value)) findings.push(unknownManager(last));
  return { layers, values, findings };
}

/** The manager that podman gives to new containers. */
export function configuredOf({ values, findings }: Settings, fallback: DefaultDriver): Configured {
  const last = values.at(-1);
  const isBroken = findings.some(({ severity }) => severity === 'error');
  const shadowed = values.slice(0, -1).map((value) => ({ ...sourceOf(value), value: value.value }));
  if (last === undefined) {
    const source: Source = { kind: 'default', text: fallback.text };
    return { driver: isBroken ? undefined : fallback.driver, source, shadowed };
  }
  return { driver: !isBroken && isDriver(last.value) ? last.value : undefined, source: sourceOf(last), shadowed };
}

function sourceOf({ path, line, column }: Setting): Source {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { kind: 'file', path, line, column, text: `cgroup_manager in [engine] of ${name}` };
}

function isDriver(value: string): value is ObservedDriver {
  return CGROUP_DRIVERS.some((driver) => driver === value);
}

function missing({ path, kind }: Layer, consequence: string): Finding {
  const code = 'podman-fault';
  if (kind === 'environment') {
    const message = `${consequence}: a variable of the environment names ${quote(path)}, which is not there`;
    const hint = 'unset CONTAINERS_CONF and CONTAINERS_CONF_OVERRIDE, or make the file';
    return { severity: 'error', code, message, hint, path };
  }
  const message = `${consequence}: ${quote(path)} is a link that leads nowhere`;
  return { severity: 'error', code, message, hint: 'remove the link', path };
}

function unknownManager({ path, line, column, value }: Setting): Finding {
  return {
    severity: 'error',
    code: 'podman-unknown-manager',
    message: `podman makes no container: cgroup_manager is ${quote(value)}, and there are only systemd and cgroupfs, in lower case`,
    hint: 'write cgroup_manager = "systemd"',
    path,
    line,
    column,
  };
}

function strays(file: GoTomlFile): Finding[] {
  return strayKeys(file, MANAGER_KEY).map(({ keys, line, column }) => ({
    severity: 'warning',
    code: 'podman-ignored-key',
    message: `podman ignores ${keyText(keys)}: it reads cgroup_manager in [engine]`,
    hint: 'move it to [engine]',
    path: file.path,
    line,
    column,
  }));
}
