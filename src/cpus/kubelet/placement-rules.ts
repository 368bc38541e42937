import { type IndexSet, intersection, isSubset, printIndexSet, union, without } from '../../core/cpuset.ts';
import { placeOf as placeOfTask } from '../audit/place.ts';
import type { Finding } from '../finding.ts';
import { listText } from '../roles.ts';
import { AGREE, finding, type Ground, placeOf, sharedByPods } from './ground.ts';
import { exclusiveCpus, stateFault } from './state.ts';

/** 5: containers have CPUs for themselves where the system does not run, and no other reservation is. */
export function exclusiveOnSystem({ kubelet: { state }, own, others, system }: Ground): Finding[] {
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
export function podsElsewhere({ kubelet, others, facts: { topology } }: Ground): Finding[] {
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
export function podsGroup({ kubelet, own, facts: { groups, topology } }: Ground): Finding[] {
  const group = groups?.groups.find(({ path }) => kubelet.podsGroups.includes(path));
  if (group === undefined) return [];
  const { state } = kubelet;
  const told = state?.policy === 'static' ? union(state.shared, exclusiveCpus(state)) : own;
  const given = intersection(told, topology.online);
  if (isSubset(given, group.effective)) return [];
  return [
    finding('pods-confined', 'drift', group.path, {
      what: `it has CPUs ${listText(group.effective)}, and the kubelet gives ${printIndexSet(without(given, group.effective))} to its containers too`,
      cause: 'containers with CPUs outside of the group do not start (kubernetes#104147)',
      cure: `take away what confines ${group.path} or a group above it: slicectl cpus show names it`,
    }),
  ];
}

const DAEMONS = new Set(['kubelet', 'containerd', 'crio', 'dockerd', 'cri-dockerd']);

/** 7: the kubelet and its runtime are part of the system; one in a container, such as docker:dind, is payload. */
export function daemons({ facts: { tasks, topology }, system }: Ground): Finding[] {
  const leaders = new Map(
    tasks
      .filter(({ pid, tid, name, cgroup }) => pid === tid && DAEMONS.has(name) && !isContained(cgroup))
      .map((task) => [task.pid, task.name]),
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
      cure: 'give it no affinity of its own, and move what has a group of its own at the top to system.slice',
    }),
  );
}

function isContained(cgroup: string | undefined): boolean {
  if (cgroup === undefined) return false;
  const { kind, detail } = placeOfTask(cgroup);
  // A container of the cgroupfs driver is in a group that systemd did not make.
  return kind === 'pod' || kind === 'container' || (kind === 'foreign' && detail !== undefined);
}

/** 8: no CPU that is offline in any set, and none that came since. */
export function offline({ kubelet, facts: { topology } }: Ground): Finding[] {
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
export function staleState({ kubelet, isStrict, facts: { topology } }: Ground): Finding[] {
  const { state: found, policy: wanted, reserved: kept } = kubelet;
  if (found === undefined || kubelet.problems.length > 0) return [];
  const online = union(topology.online, found.shared, exclusiveCpus(found), kept ?? []);
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
export function isolcpus({ kubelet, facts: { topology } }: Ground): Finding[] {
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
