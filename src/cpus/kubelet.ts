import { parseKubeletList } from '../core/cpu-list.ts';
import type { IndexSet } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import type { RootTree } from '../host/root-tree.ts';

/** What the kubelet is told about CPUs, and what its CPU manager gave away. */
export interface KubeletCpus {
  /** `static` or `none`, which is the default. */
  readonly policy: string;
  readonly policyOptions: Readonly<Record<string, string>>;
  /** `reservedSystemCPUs`: for the system. */
  readonly reserved: IndexSet | undefined;
  readonly configPath: string;
  readonly state: KubeletState | undefined;
  /** What could not be read, one sentence each. */
  readonly problems: readonly string[];
}

/** cpu_manager_state. */
export interface KubeletState {
  readonly path: string;
  readonly policy: string;
  /** Where pods without CPUs of their own run (`defaultCpuSet`). */
  readonly shared: IndexSet;
  readonly exclusive: readonly { readonly pod: string; readonly container: string; readonly cpus: IndexSet }[];
}

const CONFIG = '/var/lib/kubelet/config.yaml';
const ROOT = '/var/lib/kubelet';

/**
 * Reads configuration and state of the kubelet; undefined where there is neither. `argv` is that of the running one,
 * whose flags win over its file. Drop-ins of `--config-dir` are not looked at.
 */
export async function readKubeletCpus(tree: RootTree, argv: readonly string[]): Promise<KubeletCpus | undefined> {
  const problems: string[] = [];
  const tried = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SlicectlError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const configPath = flag(argv, 'config') ?? CONFIG;
  const statePath = `${flag(argv, 'root-dir') ?? ROOT}/cpu_manager_state`;
  const text = tried(() => tree.text(configPath));
  const config = text === undefined ? {} : await parseConfig(text, configPath, problems);
  const state = tried(() => parseState(tree.text(statePath), statePath));
  if (text === undefined && state === undefined && argv.length === 0 && problems.length === 0) return undefined;
  const reserved = flag(argv, 'reserved-cpus') ?? textOf(config.reservedSystemCPUs);
  return {
    policy: flag(argv, 'cpu-manager-policy') ?? textOf(config.cpuManagerPolicy) ?? 'none',
    policyOptions: optionsOf(flag(argv, 'cpu-manager-policy-options'), config.cpuManagerPolicyOptions),
    reserved: reserved === undefined ? undefined : tried(() => parseKubeletList(reserved, 'reservedSystemCPUs')),
    configPath,
    state,
    problems,
  };
}

/** `--name=value` or `--name value`; the last one counts. */
function flag(argv: readonly string[], name: string): string | undefined {
  const at = argv.findLastIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  const word = argv[at];
  return word === undefined ? undefined : word === `--${name}` ? argv[at + 1] : word.slice(name.length + 3);
}

type Fields = Readonly<Record<string, unknown>>;

async function parseConfig(text: string, path: string, problems: string[]): Promise<Fields> {
  const { parse } = await import('yaml');
  try {
    return fieldsOf(parse(text));
  } catch (error) {
    problems.push(`${path} is not YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : error}`);
    return {};
  }
}

/** Undefined for no text. `E_SYNTAX`, or `E_INPUT` for a set that is none. */
function parseState(text: string | undefined, path: string): KubeletState | undefined {
  if (text === undefined) return undefined;
  const fields = fieldsOf(parseJson(text, path));
  const list = (value: unknown, name: string): IndexSet => parseKubeletList(textOf(value) ?? '', name);
  const exclusive = Object.entries(fieldsOf(fields.entries)).flatMap(([pod, containers]) =>
    Object.entries(fieldsOf(containers)).map(([container, cpus]) => ({
      pod,
      container,
      cpus: list(cpus, `${path}: ${container}`),
    })),
  );
  return {
    path,
    policy: textOf(fields.policyName) ?? 'none',
    shared: list(fields.defaultCpuSet, `${path}: defaultCpuSet`),
    exclusive,
  };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SlicectlError('E_SYNTAX', `${path} is not JSON`, { data: { path }, cause: error });
  }
}

function optionsOf(flagText: string | undefined, fields: unknown): Readonly<Record<string, string>> {
  if (flagText !== undefined) {
    return Object.fromEntries(
      flagText.split(',').flatMap((part) => (part === '' ? [] : [[part.split('=')[0], part.split('=')[1] ?? '']])),
    );
  }
  return Object.fromEntries(Object.entries(fieldsOf(fields)).map(([name, value]) => [name, String(value)]));
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
