import { parseKubeletList } from '../../core/cpu-list.ts';
import type { IndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { KUBEADM_CONFIG, readSettings, UNIT } from '../../drivers/kubelet/config.ts';
import type { KubeletSettings } from '../../drivers/kubelet/facts.ts';
import { podsGroup } from '../../drivers/kubelet/groups.ts';
import { flagUses, gateOf, settingOf, textOf } from '../../drivers/kubelet/settings.ts';
import { kubeletVersion } from '../../drivers/kubelet/version.ts';
import type { Source } from '../../drivers/model.ts';
import { readServiceCommand, type ServiceCommand } from '../../drivers/service/command.ts';
import type { HostPaths } from '../../host/paths.ts';
import { readProcess } from '../../host/processes.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { Task } from '../../host/tasks.ts';
import { fieldsOf } from './fields.ts';
import { driverHostOf } from './host.ts';
import { type OptionSupport, type PolicyOption, supportOf } from './options.ts';
import { type KubeletState, parseState } from './state.ts';

/** What the kubelet is told about CPUs, and what its CPU manager gave away. */
export interface KubeletCpus {
  /** Whether a process of root's runs. */
  readonly isRunning: boolean;
  /** Without the leading `v`; undefined if unknown. */
  readonly version: string | undefined;
  /** `static` or `none`, which is the default. */
  readonly policy: string;
  readonly policyOptions: Readonly<Record<string, string>>;
  /** Whether this kubelet takes the options that matter here. */
  readonly support: Readonly<Record<PolicyOption, OptionSupport>>;
  /** `reservedSystemCPUs`: for the system. */
  readonly reserved: IndexSet | undefined;
  /** `systemReservedCgroup` and `kubeReservedCgroup`, with which it does not start beside `reservedSystemCPUs`. */
  readonly reservedGroups: readonly { readonly field: string; readonly group: string }[];
  /** `topologyManagerPolicy`; `none` by default. */
  readonly topologyPolicy: string;
  /** Where each of these is written, by field; a field that is nowhere has the kubelet's default. */
  readonly sources: Readonly<Partial<Record<KubeletField, Source>>>;
  /** Keys that look like `reservedSystemCPUs` and set nothing (kubernetes#92585). */
  readonly misspelt: readonly MisspeltKey[];
  /** The group above all pods, as the systemd driver and as the cgroupfs driver names it. */
  readonly podsGroups: readonly string[];
  readonly configPath: string;
  /** Where the state file is, or would be. */
  readonly statePath: string;
  readonly state: KubeletState | undefined;
  /** What could not be read, or keeps the kubelet from starting, one sentence each. */
  readonly problems: readonly string[];
}

export type KubeletField = (typeof FIELDS)[number];

export interface MisspeltKey {
  readonly key: string;
  readonly path: string;
  readonly line: number;
}

const FIELDS = [
  'cpuManagerPolicy',
  'cpuManagerPolicyOptions',
  'reservedSystemCPUs',
  'systemReservedCgroup',
  'kubeReservedCgroup',
  'topologyManagerPolicy',
] as const;

/** The kubelet's own (pkg/kubelet/cm/cpumanager: cpuManagerStateFileName; options.go: RootDirectory). */
const STATE_NAME = 'cpu_manager_state';
const ROOT = '/var/lib/kubelet';

/**
 * Reads configuration and state of the kubelet; undefined where there is neither a unit, a process nor a file of it.
 * `argv` is that of the running one: where it differs from what the unit starts next, it counts.
 */
export async function readKubeletCpus(tree: RootTree, argv: readonly string[]): Promise<KubeletCpus | undefined> {
  const { command, isUnit } = commandOf(tree, argv);
  const problems: string[] = [];
  const tried = tryInto(problems);
  const statePath = `${last(command, 'root-dir') ?? ROOT}/${STATE_NAME}`;
  const state = tried(() => parseState(tree.text(statePath), statePath));
  const version = await kubeletVersion(driverHostOf(tree, isUnit), command);
  const settings = readSettings(tree, command, version);
  const faults = settings.findings.filter(({ severity }) => severity === 'error');
  problems.push(...faults.map(({ message }) => message), ...optionFaults(settings));
  const isThere = isUnit || argv.length > 0 || settings.layers.length + problems.length > 0 || state !== undefined;
  if (!isThere) return undefined;
  const option = (name: PolicyOption): OptionSupport => supportOf(name, version, (gate) => gateOf(settings, gate));
  return {
    isRunning: argv.length > 0,
    version,
    policy: textOf(settings, 'cpuManagerPolicy') ?? 'none',
    policyOptions: policyOptionsOf(settings),
    support: {
      'full-pcpus-only': option('full-pcpus-only'),
      'strict-cpu-reservation': option('strict-cpu-reservation'),
    },
    reserved: tried(() => reservedOf(settings)),
    reservedGroups: (['systemReservedCgroup', 'kubeReservedCgroup'] as const).flatMap((field) => {
      const group = textOf(settings, field);
      return group === undefined ? [] : [{ field, group }];
    }),
    topologyPolicy: textOf(settings, 'topologyManagerPolicy') ?? 'none',
    sources: Object.fromEntries(
      FIELDS.flatMap((field) => {
        const source = settingOf(settings, field)?.source;
        return source === undefined ? [] : [[field, source]];
      }),
    ),
    misspelt: misspeltIn(settings),
    podsGroups: (['systemd', 'cgroupfs'] as const).map((driver) =>
      podsGroup(driver, textOf(settings, 'cgroupRoot') ?? '/'),
    ),
    configPath: last(command, 'config') ?? KUBEADM_CONFIG,
    statePath,
    state,
    problems,
  };
}

/** The words of the running kubelet's command line; none where root runs none. Anybody may call a program so. */
export function kubeletArguments(paths: HostPaths, tasks: readonly Task[]): readonly string[] {
  for (const { name, pid, tid } of tasks) {
    if (name !== 'kubelet' || pid !== tid) continue;
    const process = readProcess(paths, pid);
    if (process?.uid === 0) return process.argv;
  }
  return [];
}

const OPTIONS = 'cpuManagerPolicyOptions';

/** What the options are: those of flags where there is one (component-base: MapStringString), else those of all files. */
export function policyOptionsOf(settings: KubeletSettings): Readonly<Record<string, string>> {
  const options = new Map<string, string>();
  const uses = settings.flags.get('cpuManagerPolicyOptions') ?? [];
  for (const pair of uses.flatMap(({ value }) => value.split(',')).filter((each) => each !== '')) {
    const [name = '', ...value] = pair.split('=');
    options.set(name.trim(), value.join('=').trim());
  }
  if (uses.length > 0) return Object.fromEntries(options);
  for (const { file } of settings.layers) {
    for (const [name, value] of Object.entries(fieldsOf(file.get([OPTIONS])?.value))) {
      if (typeof value === 'string') options.set(name, value);
      else options.delete(name);
    }
  }
  return Object.fromEntries(options);
}

/** Options in files that are no text, such as true without quotes: the field is a map[string]string. A sentence each. */
export function optionFaults({ layers }: KubeletSettings): readonly string[] {
  return layers.flatMap(({ file, path }) =>
    Object.entries(fieldsOf(file.get([OPTIONS])?.value))
      .filter(([, value]) => value !== null && typeof value !== 'string')
      .map(([name, value]) => {
        const place = `${path}:${file.get([OPTIONS, name])?.line ?? 1}`;
        return `${place}: the option ${name} is ${JSON.stringify(value)}, which is no text: the kubelet does not start with it`;
      }),
  );
}

/** Whether an option is on: strconv.ParseBool, as the kubelet reads it. */
export function isOptionOn(options: Readonly<Record<string, string>>, name: PolicyOption): boolean {
  return /^(?:1|t|T|true|TRUE|True)$/.test(options[name] ?? '');
}

/** `E_INPUT` for a list that is none; a number is none either, since the field is text. */
export function reservedOf(settings: KubeletSettings): IndexSet | undefined {
  const setting = settingOf(settings, 'reservedSystemCPUs');
  if (setting === undefined) return undefined;
  if (typeof setting.value === 'string') return parseKubeletList(setting.value, 'reservedSystemCPUs');
  throw new SlicectlError(
    'E_SYNTAX',
    `reservedSystemCPUs is ${JSON.stringify(setting.value)}, which is no text: the kubelet does not start with it`,
    { hint: 'put it in quotes' },
  );
}

function misspeltIn({ layers }: KubeletSettings): readonly MisspeltKey[] {
  return layers.flatMap(({ file, path }) =>
    Object.keys(fieldsOf(file.documents[0]?.value))
      .filter((key) => key !== 'reservedSystemCPUs' && /^reserved[-_]?(?:system[-_]?)?cpus?$/i.test(key))
      .map((key) => ({ key, path, line: file.get([key])?.line ?? 1 })),
  );
}

/** The command of the unit, else that of the process, else that of kubeadm's packages without its flags. */
function commandOf(tree: RootTree, argv: readonly string[]): { command: ServiceCommand; isUnit: boolean } {
  const unit = readServiceCommand(tree, UNIT);
  const isSame = (words: ServiceCommand['words']): boolean =>
    words.length === argv.length && words.every(({ text }, at) => at === 0 || text === argv[at]);
  if (unit !== undefined && !unit.masked && (argv.length === 0 || isSame(unit.words)))
    return { command: unit, isUnit: true };
  const words = argv.length > 0 ? argv : ['kubelet', `--config=${KUBEADM_CONFIG}`];
  return { command: commandOfWords(words), isUnit: false };
}

function commandOfWords(argv: readonly string[]): ServiceCommand {
  const words = argv.map((text) => ({
    text,
    traced: { text, from: [] },
    source: { kind: 'flag', text: "the running kubelet's command line" } as const,
  }));
  return {
    unit: UNIT,
    fragment: undefined,
    masked: false,
    dropIns: [],
    program: words[0],
    words,
    prefixes: '',
    execStart: undefined,
    environment: new Map(),
    unset: [],
    environmentFiles: [],
    wrapper: false,
    texts: new Map(),
    problems: [],
  };
}

function last(command: ServiceCommand, flag: string): string | undefined {
  return flagUses(command, flag).at(-1)?.value || undefined;
}

function tryInto(problems: string[]): <T>(read: () => T) => T | undefined {
  return (read) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SlicectlError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
}
