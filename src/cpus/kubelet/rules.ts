import { type IndexSet, intersection, isSubset, printIndexSet, union, without } from '../../core/cpuset.ts';
import type { Source } from '../../drivers/model.ts';
import type { Finding } from '../finding.ts';
import type { CpuFacts, ReservationRecord, Wanted } from '../model.ts';
import { listText } from '../roles.ts';
import type { PolicyOption } from './options.ts';
import { isOptionOn, type KubeletCpus } from './read.ts';
import { exclusiveCpus, stateFault } from './state.ts';

/** What the kubelet is judged by. */
interface Ground {
  readonly facts: CpuFacts;
  readonly kubelet: KubeletCpus;
  /** Payload CPUs that the kubelet gives to containers. */
  readonly own: IndexSet;
  /** Payload CPUs of others, where no pod may run. */
  readonly others: IndexSet;
  /** System CPUs as they are online. */
  readonly system: IndexSet;
  readonly isStatic: boolean;
  readonly isStrict: boolean;
}

/**
 * Whether the kubelet's configuration and state agree with the reservations that are written down. Pure. Without a
 * reservation it is said that a static policy alone keeps no service off.
 */
export function kubeletRules(facts: CpuFacts, wanted: Wanted): readonly Finding[] {
  const { kubelet, records, topology } = facts;
  if (kubelet === undefined) return [];
  const isStatic = kubelet.policy === 'static';
  if (records.length === 0) return isStatic && kubelet.isRunning ? [unshielded(kubelet)] : [];
  const ground: Ground = {
    facts,
    kubelet,
    own: cpusOf(records.filter((record) => record.kubelet)),
    others: cpusOf(records.filter((record) => !record.kubelet)),
    system: intersection(wanted.system, topology.online),
    isStatic,
    isStrict: isStatic && isOptionOn(kubelet.policyOptions, 'strict-cpu-reservation'),
  };
  const rules = ground.own.length > 0 ? [...SHARED_RULES, ...OWN_RULES] : SHARED_RULES;
  return rules.flatMap((rule) => rule(ground));
}

/**
 * The CPUs that a kubelet has to keep for the system where it gives `payload` to containers: all others that are online,
 * also those of other reservations and of `isolcpus=`, which it knows nothing of (kubernetes#87862).
 */
export function reservedFor(online: IndexSet, payload: IndexSet): IndexSet {
  return without(online, payload);
}

/** Where pods without CPUs of their own may run, by the state where there is one, else by the configuration. */
export function sharedByPods(kubelet: KubeletCpus, online: IndexSet): IndexSet {
  const { state, policy, policyOptions, reserved = [] } = kubelet;
  if (policy !== 'static') return online;
  if (state?.policy === 'static' && state.shared.length > 0) return state.shared;
  return isOptionOn(policyOptions, 'strict-cpu-reservation') ? without(online, reserved) : online;
}

type Rule = (ground: Ground) => readonly Finding[];

/** Rules that hold for every node with a reservation. */
const SHARED_RULES: readonly Rule[] = [unreadable, misspelt, podsElsewhere, exclusiveOnSystem, daemons, offline, state];
/** Rules for a node whose kubelet gives the payload CPUs to containers. */
const OWN_RULES: readonly Rule[] = [policy, reserved, strict, wholeCores, podsGroup, isolcpus];

const AGREE = 'slicectl cpus reserve --kubelet --drained, for the same slice and CPUs, on the drained node';

function finding(kind: string, severity: Finding['severity'], subject: string, texts: Texts): Finding {
  return { kind: `kubelet-${kind}`, severity, subject, ...texts, isFixable: false };
}

interface Texts {
  readonly what: string;
  readonly cause: string;
  readonly cure: string;
}

function unshielded({ configPath, sources }: KubeletCpus): Finding {
  return finding('unshielded', 'info', placeOf(sources.cpuManagerPolicy, configPath), {
    what: 'the CPU manager is static, and no reservation keeps system services off the CPUs that it gives to containers',
    cause: 'its exclusivity is one among pods: services of the host go on running there (kubernetes#85764)',
    cure: 'slicectl cpus reserve --for kubepods.slice --kubelet, with --cores or --cpus',
  });
}

function unreadable({ kubelet: { problems, configPath } }: Ground): Finding[] {
  return problems.map((problem) =>
    finding('unreadable', 'drift', configPath, {
      what: problem,
      cause: 'whether the kubelet agrees with the reservation cannot be said for sure',
      cure: `mend ${configPath}, or the file that is named`,
    }),
  );
}

function misspelt({ kubelet }: Ground): Finding[] {
  return kubelet.misspelt.map(({ key, path, line }) =>
    finding('misspelt', 'drift', `${path}:${line}`, {
      what: `${key} is no key of a kubelet and reserves nothing`,
      cause: 'the kubelet only warns of it in its log (kubernetes#92585)',
      cure: 'write reservedSystemCPUs',
    }),
  );
}

/** 2: the policy is static. */
function policy({ kubelet, isStatic, own }: Ground): Finding[] {
  if (isStatic) return [];
  return [
    finding('not-static', 'drift', placeOf(kubelet.sources.cpuManagerPolicy, kubelet.configPath), {
      what: `cpuManagerPolicy is ${kubelet.policy}, so that no container gets any of the payload CPUs ${listText(own)} for itself`,
      cause: kubelet.sources.cpuManagerPolicy?.text ?? "none is the kubelet's default",
      cure: AGREE,
    }),
  ];
}

/** 1: what the kubelet keeps for the system are the system CPUs. */
function reserved({ kubelet, own, system, facts: { topology } }: Ground): Finding[] {
  const { reserved: found, sources, configPath } = kubelet;
  const subject = placeOf(sources.reservedSystemCPUs, configPath);
  const wanted = reservedFor(topology.online, own);
  const roles = `the payload CPUs are ${listText(own)} and the system CPUs ${listText(system)}`;
  if (found === undefined) {
    return [
      finding('not-reserved', 'breach', subject, {
        what: `reservedSystemCPUs is not set, and ${roles}`,
        cause: 'the kubelet chooses by itself which CPUs the system keeps, and gives the others to containers',
        cure: AGREE,
      }),
    ];
  }
  const missing = without(wanted, found);
  const surplus = intersection(own, found);
  const what = `reservedSystemCPUs is ${listText(found)}; ${roles}`;
  if (missing.length > 0) {
    const cause = `the kubelet may give CPUs ${printIndexSet(missing)} to containers for themselves, and other work runs there`;
    return [finding('reserved-differs', 'breach', subject, { what, cause, cure: AGREE })];
  }
  if (surplus.length === 0) return [];
  const cause = `no container gets CPUs ${printIndexSet(surplus)}, and the system does not run there either`;
  return [finding('reserved-differs', 'drift', subject, { what, cause, cure: AGREE })];
}

/** 3: pods without CPUs of their own stay off the system CPUs. */
function strict({ kubelet, isStatic, isStrict, system }: Ground): Finding[] {
  if (!isStatic || isStrict) return [];
  const { isUsable, why, cure } = kubelet.support['strict-cpu-reservation'];
  return [
    finding(
      'not-strict',
      isUsable ? 'drift' : 'info',
      placeOf(kubelet.sources.cpuManagerPolicyOptions, kubelet.configPath),
      {
        what: `strict-cpu-reservation is off, so that pods without CPUs of their own run on the system CPUs ${listText(system)} too`,
        cause: isUsable ? "the kubelet shares all CPUs that are nobody's own, the reserved ones too (KEP-4540)" : why,
        cure: isUsable ? AGREE : cure,
      },
    ),
  ];
}

/** 4: no core is split between two containers, or a container and the system. */
function wholeCores({ kubelet, isStatic, facts: { topology } }: Ground): Finding[] {
  const split = splitCores(topology.cores, kubelet.reserved ?? []);
  const found: Finding[] = [];
  if (split.length > 0) {
    found.push(
      finding('split-core', 'drift', placeOf(kubelet.sources.reservedSystemCPUs, kubelet.configPath), {
        what: `reservedSystemCPUs ${listText(kubelet.reserved ?? [])} splits ${split.length === 1 ? 'the core' : 'the cores'} ${split.map(printIndexSet).join(' and ')}`,
        cause: 'what runs on one thread of a core slows down the other one',
        cure: 'slicectl cpus reserve --whole-cores --kubelet --drained, on the drained node',
      }),
    );
  }
  const hasThreads = topology.cores.some(({ cpus }) => cpus.length > 1);
  if (!isStatic || !hasThreads || isOptionOn(kubelet.policyOptions, 'full-pcpus-only')) return found;
  const { isUsable, why, cure } = kubelet.support['full-pcpus-only'];
  const subject = placeOf(kubelet.sources.cpuManagerPolicyOptions, kubelet.configPath);
  found.push(
    finding('not-whole-cores', 'info', subject, {
      what: 'full-pcpus-only is off, so that two containers may have one thread each of the same core',
      cause: isUsable ? 'the kubelet then gives out threads, not cores' : why,
      cure: isUsable ? AGREE : cure,
    }),
  );
  return found;
}

/** Cores of which a set has some threads and not all; those that are offline do not count. */
export function splitCores(cores: CpuFacts['topology']['cores'], set: IndexSet): readonly IndexSet[] {
  return cores
    .map(({ cpus }) => cpus)
    .filter((cpus) => {
      const part = intersection(cpus, set).length;
      return part > 0 && part < cpus.length;
    });
}

/** 5: containers have CPUs for themselves where the system does not run, and no other reservation is. */
function exclusiveOnSystem({ kubelet: { state }, own, others, system }: Ground): Finding[] {
  return (state?.exclusive ?? []).flatMap(({ pod, container, cpus }) => {
    const shared = own.length > 0 ? union(system, others) : others;
    const wrong = intersection(cpus, shared);
    if (wrong.length === 0) return [];
    const isSystem = intersection(wrong, system).length > 0;
    return [
      finding('exclusive-elsewhere', 'breach', `container ${container} of pod ${pod}`, {
        what: `it has CPUs ${printIndexSet(cpus)} for itself, of which ${printIndexSet(wrong)} are ${isSystem ? 'system CPUs' : 'payload CPUs of another slice'}`,
        cause: `the kubelet gave them away before it was told of the reservation (${state?.path ?? ''})`,
        cure: AGREE,
      }),
    ];
  });
}

/** Without `--kubelet`: pods may not run on payload CPUs. */
function podsElsewhere({ kubelet, others, facts: { topology } }: Ground): Finding[] {
  const wrong = intersection(sharedByPods(kubelet, topology.online), others);
  if (wrong.length === 0 || !kubelet.isRunning) return [];
  return [
    finding('pods-on-payload', 'breach', kubelet.state?.path ?? kubelet.configPath, {
      what: `pods may run on the payload CPUs ${printIndexSet(wrong)} of another slice`,
      cause: 'pods are placed by the kubelet, which knows of no reservation but its own',
      cure: 'have these CPUs in reservedSystemCPUs, with cpuManagerPolicy: static and strict-cpu-reservation',
    }),
  ];
}

/** 6: the group above the pods has all CPUs that the kubelet gives to them. */
function podsGroup({ kubelet, own, facts: { groups } }: Ground): Finding[] {
  const group = groups?.groups.find(({ path }) => kubelet.podsGroups.includes(path));
  if (group === undefined) return [];
  const { state } = kubelet;
  const given = state?.policy === 'static' ? union(state.shared, exclusiveCpus(state)) : own;
  if (isSubset(given, group.effective)) return [];
  return [
    finding('pods-confined', 'drift', group.path, {
      what: `it has CPUs ${listText(group.effective)}, and the kubelet gives ${printIndexSet(without(given, group.effective))} to its containers too`,
      cause: 'containers with CPUs outside of the group do not start (kubernetes#104147)',
      cure: `slicectl cpus audit --fix, unless somebody else confines ${group.path}`,
    }),
  ];
}

const DAEMONS = new Set(['kubelet', 'containerd', 'crio', 'dockerd', 'cri-dockerd']);

/** 7: the kubelet and its runtime are part of the system. */
function daemons({ facts: { tasks, topology }, system }: Ground): Finding[] {
  const leaders = new Map(
    tasks.filter(({ pid, tid, name }) => pid === tid && DAEMONS.has(name)).map((task) => [task.pid, task.name]),
  );
  const wide = new Map<number, IndexSet>();
  for (const { pid, kind, state, allowed } of tasks) {
    if (!leaders.has(pid) || kind !== 'user' || state === 'Z') continue;
    const wrong = without(intersection(allowed, topology.online), system);
    if (wrong.length > 0) wide.set(pid, union(wide.get(pid) ?? [], wrong));
  }
  return [...wide].map(([pid, cpus]) =>
    finding('daemon-elsewhere', 'breach', `${leaders.get(pid)} (process ${pid})`, {
      what: `it may run on CPUs ${printIndexSet(cpus)}, and the system CPUs are ${listText(system)}`,
      cause: 'its group or its affinity is not that of the system',
      cure: 'slicectl cpus audit --fix; for a group of its own at the top, move it to system.slice',
    }),
  );
}

/** 8: no CPU that is offline in any set, and none that came since. */
function offline({ kubelet, facts: { topology } }: Ground): Finding[] {
  const { reserved: kept = [], state, configPath, sources } = kubelet;
  const given = state?.policy === 'static' ? union(state.shared, exclusiveCpus(state)) : [];
  return (
    [
      [placeOf(sources.reservedSystemCPUs, configPath), kept, 'reservedSystemCPUs has'],
      [state?.path ?? '', given, 'the state of the CPU manager has'],
    ] as const
  ).flatMap(([subject, cpus, has]) => {
    const wrong = without(cpus, topology.online);
    if (wrong.length === 0) return [];
    return [
      finding('offline', 'drift', subject, {
        what: `${has} CPUs ${printIndexSet(wrong)}, which are not online`,
        cause: 'the kubelet knows only CPUs that are online when it starts, and does not start with others',
        cure: 'bring them online, or drain the node and reserve anew with --kubelet --drained',
      }),
    ];
  });
}

/** Beside the nine: a state on which the next start fails. What rule 8 says is not said again. */
function state({ kubelet, isStrict, facts: { topology } }: Ground): Finding[] {
  const { state: found, policy: wanted, reserved: kept } = kubelet;
  if (found === undefined || kubelet.problems.length > 0) return [];
  const online = union(topology.online, found.shared, exclusiveCpus(found));
  const fault = stateFault(found, { policy: wanted, isStrict, reserved: kept, online });
  if (fault === undefined) return [];
  return [
    finding('stale-state', 'drift', found.path, {
      what: `the kubelet does not start again on this state: ${fault}`,
      cause: 'the configuration changed, or CPUs came, and the state was left as it was',
      cure: `drain the node, stop the kubelet, remove ${found.path}, start the kubelet`,
    }),
  ];
}

/** 9: the kubelet knows nothing of isolcpus=, and lets pods share such CPUs. */
function isolcpus({ kubelet, facts: { topology } }: Ground): Finding[] {
  const wrong = intersection(sharedByPods(kubelet, topology.online), topology.isolated);
  if (wrong.length === 0) return [];
  return [
    finding('isolcpus', 'drift', kubelet.state?.path ?? kubelet.configPath, {
      what: `pods share CPUs ${printIndexSet(wrong)} of isolcpus=`,
      cause:
        'nothing is balanced there: tasks that share them pile up on one, and the kubelet does not look (kubernetes#87862)',
      cure: 'remove isolcpus= from the kernel command line, or have these CPUs in reservedSystemCPUs with strict-cpu-reservation',
    }),
  ];
}

function cpusOf(records: readonly ReservationRecord[]): IndexSet {
  return union(...records.map(({ cpus }) => cpus));
}

/** Where to go: a file with its line, or the file that would hold it. */
function placeOf(source: Source | undefined, otherwise: string): string {
  if (source?.path === undefined) return source?.text ?? otherwise;
  return source.line === undefined ? source.path : `${source.path}:${source.line}`;
}
