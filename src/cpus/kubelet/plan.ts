import type { FileStep, PlanNote, Refusal, Step, UnitStep } from '../../change/plan.ts';
import { equalSets, type IndexSet, printIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { isAtLeast } from '../../core/program-version.ts';
import { forbidden } from '../../drivers/distributions/forbidden.ts';
import type { KubeletFacts } from '../../drivers/kubelet/facts.ts';
import { kubelet as kubeletRuntime } from '../../drivers/kubelet/kubelet.ts';
import { faultsOf } from '../../drivers/kubelet/status.ts';
import type { Finding } from '../../drivers/model.ts';
import { PlannedTree } from '../../drivers/service/planned-tree.ts';
import type { Topology } from '../../host/topology.ts';
import type { CpuFacts } from '../model.ts';
import { listText } from '../roles.ts';
import type { CpuHost } from '../show.ts';
import { kubeletCheckStep } from './check.ts';
import { editsFor, type Wish } from './edits.ts';
import { reservedFor } from './ground.ts';
import { driverHostOf } from './host.ts';
import { optionNotes, restartNotes, settingNotes } from './notes.ts';
import { isOptionOn, type KubeletCpus, optionFaults, readKubeletCpus } from './read.ts';
import { splitCores } from './settings-rules.ts';
import { stateFault } from './state.ts';
import { forgetStateStep } from './state-action.ts';

export interface ShareRequest {
  /** Stays with the system, also what is offline now. */
  readonly system: IndexSet;
  /** What the kubelet may give to containers for themselves. */
  readonly payload: IndexSet;
  /** `--drained`: no pods run, or those that run may fail. */
  readonly drained: boolean;
}

/** The kubelet's share of a plan. All lists are empty where it is as it should be. */
export interface KubeletShare {
  readonly steps: {
    /** Before the first file is written. */
    readonly stop: readonly Step[];
    /** Unit files may be among them: systemd has to read them again before the start. */
    readonly files: readonly Step[];
    /** After the last step that gives or takes CPUs. */
    readonly start: readonly Step[];
  };
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

const DRAINED = '--drained';
const NO_STEPS = { stop: [], files: [], start: [] };

/**
 * What `reserve --kubelet` changes in the kubelet, so that it gives the payload CPUs to containers and no others: its
 * settings where they are written, and while it stands still the state of its CPU manager goes.
 */
export async function kubeletShare(facts: CpuFacts, host: CpuHost, request: ShareRequest): Promise<KubeletShare> {
  const { tree, paths, system } = host;
  const [kubelet] = await kubeletRuntime.read(driverHostOf(tree, true, paths, system));
  const next = await readKubeletCpus(tree, []);
  if (kubelet === undefined || next === undefined) return refused(noKubelet(facts.kubelet));
  return shareFor(kubelet, next, facts.topology, request);
}

/** {@link kubeletShare} of a kubelet that has been read, `cpus` by the files of its next start. What these would say afterwards is read from the planned tree. */
export async function shareFor(
  kubelet: KubeletFacts,
  cpus: KubeletCpus,
  topology: Topology,
  request: ShareRequest,
): Promise<KubeletShare> {
  const reserved = reservedFor(topology.online, request.payload);
  const blocked = whyNot(kubelet, cpus, reserved, request);
  if (blocked !== undefined) return refused(blocked);
  const isStrict = cpus.support['strict-cpu-reservation'].isUsable;
  const hasThreads = topology.cores.some(({ cpus: threads }) => threads.length > 1);
  const isWhole = hasThreads && splitCores(topology.cores, reserved).length === 0;
  const isFull = isWhole && cpus.support['full-pcpus-only'].isUsable;
  const wishes = wishesFor(cpus, reserved, isStrict, isFull);
  let files: readonly (Step & FileStep)[];
  try {
    files = editsFor(kubelet, wishes);
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    const { message, hint } = error;
    return refused({ reason: `the kubelet's CPU manager cannot be set: ${message}`, ...(hint && { hint }) });
  }
  const wrong = await wrongAfter(kubelet, files, reserved);
  if (wrong.length > 0) return refused(...wrong);
  const strictNow = isStrict || isOptionOn(cpus.policyOptions, 'strict-cpu-reservation');
  const ground = { policy: 'static', isStrict: strictNow, reserved, online: topology.online };
  const isStale = cpus.state !== undefined && stateFault(cpus.state, ground) !== undefined;
  const optional = optionNotes(cpus, reserved, isWhole, hasThreads, isFull);
  if (files.length === 0 && !isStale) return { steps: NO_STEPS, refusals: [], notes: optional };
  const expectation = {
    statePath: cpus.statePath,
    reserved,
    isStrict: strictNow,
    policyBefore: cpus.state?.policy,
  };
  const around = aroundFor(kubelet, kubeletCheckStep(expectation));
  const pods = kubelet.run?.pods ?? [];
  const stays = pods.length > 0 && !request.drained;
  return {
    steps: { ...around, files: [...files, forgetStateStep(cpus.statePath)] },
    refusals: stays ? [podsRefusal(pods)] : [],
    notes: [
      ...restartNotes(kubelet, pods),
      ...settingNotes(kubelet, cpus, reserved, files.length > 0, wishes),
      ...optional,
    ],
  };
}

function refused(...refusals: readonly Refusal[]): KubeletShare {
  return { steps: NO_STEPS, refusals, notes: [] };
}

function noKubelet(cpus: KubeletCpus | undefined): Refusal {
  if (cpus === undefined) {
    return { reason: 'there is no kubelet on this host', hint: 'leave out --kubelet' };
  }
  return {
    reason: "the kubelet of this host is not that of kubelet.service, and its files are not slicectl's to edit",
    hint: 'give it reserved-cpus, cpu-manager-policy=static and cpu-manager-policy-options=strict-cpu-reservation=true by hand, with k3s and RKE2 under kubelet-arg: of their config.yaml',
  };
}

/** What stands in the way before anything is tried. */
function whyNot(
  { settings, version, command }: KubeletFacts,
  { reservedGroups, sources }: KubeletCpus,
  reserved: IndexSet,
  { payload }: ShareRequest,
): Refusal | undefined {
  if (reserved.length === 0 || payload.length === 0) {
    return {
      reason: `a static CPU manager has to keep a CPU for the system and one for pods (payload CPUs ${listText(payload)}, system CPUs ${listText(reserved)})`,
      hint: 'choose other CPUs',
    };
  }
  const fault = settings.findings.find(({ severity }) => severity === 'error');
  if (fault !== undefined) return faulty(fault);
  if (settings.notJoined) {
    return {
      reason: 'the kubelet has no configuration yet: this node has not joined its cluster',
      hint: 'join first, with kubeadm join, or leave out --kubelet',
    };
  }
  if (version !== undefined && !isAtLeast(version, '1.17')) {
    return { reason: `kubelet ${version} does not know reservedSystemCPUs`, hint: 'bring it to 1.17 or later' };
  }
  const [group] = reservedGroups;
  if (group === undefined) return undefined;
  const source = sources[group.field as keyof typeof sources];
  const place = source?.path === undefined ? command.unit : `${source.path}${source.line ? `:${source.line}` : ''}`;
  return {
    reason: `${group.field} is ${group.group} (${place}), and a kubelet does not start with reservedSystemCPUs beside it`,
    hint: `remove ${group.field}, and its entry of enforceNodeAllocatable: the reservation confines the system instead`,
    fault: true,
  };
}

/** In the order in which a reader expects them; what is so already is left out. */
function wishesFor(cpus: KubeletCpus, reserved: IndexSet, isStrict: boolean, isFull: boolean): readonly Wish[] {
  const options = [
    ...(isFull ? (['full-pcpus-only'] as const) : []),
    ...(isStrict ? (['strict-cpu-reservation'] as const) : []),
  ];
  return [
    ...(cpus.policy === 'static' ? [] : [{ field: 'cpuManagerPolicy', value: 'static' } as const]),
    ...options
      .filter((option) => !isOptionOn(cpus.policyOptions, option))
      .map((option) => ({ field: 'cpuManagerPolicyOptions', option, value: 'true' }) as const),
    ...(cpus.reserved !== undefined && equalSets(cpus.reserved, reserved)
      ? []
      : [{ field: 'reservedSystemCPUs', value: printIndexSet(reserved) } as const]),
  ];
}

/** Why the kubelet would not be as wanted with these files, or must not have them. */
async function wrongAfter(
  kubelet: KubeletFacts,
  files: readonly (Step & FileStep)[],
  reserved: IndexSet,
): Promise<readonly Refusal[]> {
  const foreign = files.flatMap(({ path }) => forbidden(kubelet.tree, path) ?? []);
  if (foreign.length > 0) return foreign;
  const tree = new PlannedTree(kubelet.tree, files);
  const assumed = new Map(kubelet.version === undefined ? [] : [['kubelet', kubelet.version]]);
  const [after] = await kubeletRuntime.read({ ...driverHostOf(tree, false), assumed });
  const [fault] = after === undefined ? [] : faultsOf(after);
  if (fault !== undefined) return [faulty(fault)];
  const [option] = after === undefined ? [] : optionFaults(after.settings);
  if (option !== undefined) return [faulty({ message: option, hint: 'put its value in quotes' })];
  const read = await readKubeletCpus(tree, []);
  if (read?.policy === 'static' && read.reserved !== undefined && equalSets(read.reserved, reserved)) return [];
  return [
    {
      reason: 'the kubelet would not have the wanted CPUs after the edit of its files',
      hint: 'set reservedSystemCPUs and cpuManagerPolicy by hand, then try again',
    },
  ];
}

function faulty({ message, hint }: Pick<Finding, 'message' | 'hint'>): Refusal {
  return {
    reason: `the kubelet's files are left as they are: ${message}`,
    hint: hint ?? 'mend the file, then try again',
    fault: true,
  };
}

function aroundFor({ run, command }: KubeletFacts, check: Step): Pick<KubeletShare['steps'], 'stop' | 'start'> {
  const unit = { kind: 'unit', manager: 'system', unit: command.unit } as const;
  const stop: Step & UnitStep = { ...unit, verb: 'stop', purpose: 'no kubelet while its CPUs change' };
  const start = (purpose: string): Step & UnitStep => ({ ...unit, verb: 'start', reset: [command.unit], purpose });
  // systemd starts it again and again, for what may have nothing to do with this: no check.
  if (run?.activeState === 'activating') {
    return { stop: [stop], start: [start('the kubelet, which failed before')] };
  }
  if (run?.activeState !== 'active') return { stop: [], start: [] };
  return { stop: [stop], start: [start('the kubelet with its new CPUs'), check] };
}

function podsRefusal(pods: readonly string[]): Refusal {
  const [first = ''] = pods;
  const what = pods.length === 1 ? `the pod ${first} runs` : `${pods.length} pods run, such as ${first},`;
  return {
    reason: `${what} on this node, and a kubelet with another CPU manager forgets which CPUs they have`,
    hint: `drain the node first, then give ${DRAINED}: static pods and those of DaemonSets stay`,
    override: DRAINED,
  };
}
