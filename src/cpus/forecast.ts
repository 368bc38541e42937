import type { PlanNote } from '../change/plan.ts';
import { type IndexSet, intersection, isSubset, printIndexSet, without } from '../core/cpuset.ts';
import { managerCpus } from '../host/manager-affinity.ts';
import { ghosts } from './hold/ghosts.ts';
import { staysOpened } from './isolated-steps.ts';
import { needsBoot } from './layout.ts';
import type { CpuFacts, ReservationRecord, UnitFacts } from './model.ts';
import { isLiveDropIn } from './own-files.ts';
import { openTo } from './refusals.ts';
import { listText } from './roles.ts';
import { foreignGroups, isLoose, systemSet } from './shares.ts';
import { lostAffinities, lostSets, movedOffIsolated, shorten, shortId, threadPools } from './squeezed.ts';

const impact = (text: string, items: readonly string[] = []): PlanNote => ({ severity: 'impact', text, items });
const warning = (text: string, items: readonly string[] = []): PlanNote => ({ severity: 'warning', text, items });
const info = (text: string, items: readonly string[] = []): PlanNote => ({ severity: 'info', text, items });

/** What will come of the reservations that is not in the steps. Pure. */
export function forecast(
  facts: CpuFacts,
  record: ReservationRecord,
  records: readonly ReservationRecord[],
): readonly PlanNote[] {
  return [
    ...pinnedUnits(facts, records),
    ...narrowedUnits(facts, records),
    ...looseUnits(facts, record),
    ...containers(facts, records),
    ...lostSets(facts, records),
    ...lostAffinities(facts, records),
    ...movedOffIsolated(facts, records),
    ...staysOpened(facts),
    ...threadPools(facts, records),
    ...foundGhosts(facts),
    ...meddlers(facts, record),
    ...managerAffinity(facts, records),
    ...untilReboot(facts),
    ...bootNotes(facts, record, records),
    ...leftOver(record),
    ...usual(facts, record),
  ];
}

/** A unit whose CPUAffinity= has no CPU of its cpuset does not start (systemd.exec(5), status 215). */
function pinnedUnits(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const pinned = facts.units.flatMap((unit) => {
    const open = openTo(facts, records, unit);
    return unit.affinity.length === 0 || open === undefined || isSubset(unit.affinity, open) ? [] : [{ unit, open }];
  });
  const line = ({ unit }: { unit: UnitFacts }): string => `${unit.name}: CPUAffinity=${printIndexSet(unit.affinity)}`;
  const outside = pinned.filter(({ unit, open }) => intersection(unit.affinity, open).length === 0);
  const partly = pinned.filter(({ unit, open }) => intersection(unit.affinity, open).length > 0);
  return [
    ...(outside.length === 0
      ? []
      : [
          impact(
            'these units pin themselves to CPUs that they will not have: they are moved now, and their next start fails with 215/CPUAFFINITY unless CPUAffinity= is changed',
            outside.map(line),
          ),
        ]),
    ...(partly.length === 0
      ? []
      : [warning('these units pin themselves to CPUs of which they keep a part', partly.map(line))]),
  ];
}

/** Own sets that are partly outside. */
function narrowedUnits(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const lines = facts.units.flatMap((unit) => {
    const open = openTo(facts, records, unit);
    if (unit.given.length === 0 || open === undefined || isSubset(unit.given, open)) return [];
    const rest = intersection(unit.given, open);
    return rest.length === 0 ? [] : [`${unit.name}: ${printIndexSet(unit.given)} → ${printIndexSet(rest)}`];
  });
  return lines.length === 0
    ? []
    : [warning('these units asked for CPUs by AllowedCPUs= and keep a part of them', lines)];
}

function looseUnits(facts: CpuFacts, { partition }: ReservationRecord): readonly PlanNote[] {
  const loose = facts.units.filter((unit) => isLoose(unit) && unit.activeState !== 'inactive').map(({ name }) => name);
  if (loose.length === 0) return [];
  const text = 'these units are in the root slice, which cannot be confined, and get their CPUs one by one';
  return [
    partition === undefined
      ? warning(
          `${text}: one that somebody starts there later may run on payload CPUs. Give each Slice=system.slice (systemctl edit UNIT, then restart it), or use --partition root`,
          loose,
        )
      : info(`${text}; the partition keeps later ones off too`, loose),
  ];
}

/** `docker-0123….scope` and its kin; the kubelet's are not in system.slice. */
const CONTAINER = /\/((?:docker|libpod|crio|cri-containerd|nerdctl|lxc)-[^/]+\.scope)(?:\/|$)/;

function containers(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const { tasks } = facts;
  const system = listText(systemSet(facts, records));
  const inSystem = new Set(
    tasks.flatMap(({ cgroup }) => (cgroup?.startsWith('/system.slice/') ? (CONTAINER.exec(cgroup)?.[1] ?? []) : [])),
  );
  const groups = foreignGroups(facts);
  return [
    ...(inSystem.size === 0
      ? []
      : [
          impact(
            `${inSystem.size} container${inSystem.size === 1 ? '' : 's'} in system.slice will share the system CPUs ${system} with all services`,
            shorten([...inSystem].map(shortId)),
          ),
        ]),
    ...(groups.length === 0
      ? []
      : [
          warning(
            `systemd did not make these groups: they are confined now, and again at boot and by slicectl cpus apply once they are there`,
            groups,
          ),
        ]),
  ];
}

function foundGhosts(facts: CpuFacts): readonly PlanNote[] {
  const found = ghosts(facts).map(
    ({ unit, cgroup, allowed, open }) => `${unit ?? cgroup}: on ${listText(allowed)}, its group has ${listText(open)}`,
  );
  if (found.length === 0) return [];
  return [
    warning(
      'tasks are on fewer CPUs than their groups already, by an affinity of their own or left so by an earlier change of somebody; slicectl cpus audit --fix frees the latter',
      shorten(found),
    ),
  ];
}

/** Programs that move what is placed here. */
function meddlers({ tasks, irqbalance }: CpuFacts, { interrupts }: ReservationRecord): readonly PlanNote[] {
  const runs = (name: string, unit: string): boolean =>
    tasks.some((task) => task.kind === 'user' && (task.name === name || (task.cgroup ?? '').endsWith(`/${unit}`)));
  return [
    ...(runs('intel_lpmd', 'intel_lpmd.service')
      ? [
          warning(
            'intel_lpmd runs: when it changes its mode it writes AllowedCPUs of system.slice and user.slice itself, and takes the cpuset controller away',
            ['systemctl disable --now intel_lpmd.service keeps it from that'],
          ),
        ]
      : []),
    ...(runs('tuned', 'tuned.service')
      ? [
          warning(
            'tuned runs: a profile with isolated_cores moves processes, and what it sets is bounded by the reservation',
          ),
        ]
      : []),
    ...(irqbalance?.isRunning && !interrupts
      ? [warning('irqbalance runs and may move interrupts to the payload CPUs: --irqs keeps it from that')]
      : []),
  ];
}

/** What PID 1 may run on is handed down to all that it starts. */
function managerAffinity(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const set = managerCpus(facts) ?? [];
  const { kernelLine, managerAffinity: written } = facts;
  const source =
    kernelLine.systemdCpuAffinity === undefined ? `CPUAffinity= in ${written?.path}` : 'systemd.cpu_affinity=';
  const cut = records.filter(({ cpus }) => set.length > 0 && !isSubset(cpus, set));
  return cut.map(({ name, cpus }) =>
    warning(
      `${source} lets services start on CPUs ${listText(set)} alone: in ${name} they need CPUAffinity=${printIndexSet(cpus)} of their own`,
    ),
  );
}

/** What an administrator set until reboot is overwritten by what slicectl sets until reboot. */
function untilReboot({ units, records }: CpuFacts): readonly PlanNote[] {
  const lost = records.length > 0 ? [] : units.filter(({ dropIns }) => dropIns.some((path) => isLiveDropIn(path)));
  if (lost.length === 0) return [];
  return [
    warning(
      'these units have CPUs that somebody set until reboot: slicectl undo brings them back, slicectl cpus release gives all CPUs',
      lost.map(({ name, given }) => `${name}: ${listText(given)}`),
    ),
  ];
}

function bootNotes(
  facts: CpuFacts,
  { runtime, whileUnit }: ReservationRecord,
  records: readonly ReservationRecord[],
): readonly PlanNote[] {
  if (whileUnit !== undefined) return [info(`it is released when ${whileUnit} ends`)];
  if (runtime) return [info('it is over with the next boot')];
  const lasting = records.filter((record) => !record.runtime);
  return needsBoot(facts, lasting)
    ? [info('slicectl-cpus.service brings back at boot what systemd does not keep')]
    : [];
}

function leftOver({ interrupts, workqueues, kernelThreads, partition }: ReservationRecord): readonly PlanNote[] {
  const moves = partition !== undefined;
  const items = [
    ...(interrupts ? [] : ['device interrupts (--irqs)']),
    ...(workqueues || partition === 'isolated' ? [] : ["the kernel's unbound workers (--workqueues)"]),
    ...(kernelThreads || moves ? [] : ['kernel threads that can be moved (--kernel-threads)']),
    "each CPU's own kernel threads and timer, which nothing moves",
  ];
  return [
    info('on the payload CPUs stay', items),
    ...(partition === 'isolated'
      ? [info('the scheduler does not spread threads over an isolated partition: pin each to its CPU')]
      : []),
  ];
}

/** What comes of every reservation. */
function usual({ topology }: CpuFacts, { cpus, name }: ReservationRecord): readonly PlanNote[] {
  const later = without(topology.possible, topology.online);
  return [
    info('good to know', [
      'programs that counted CPUs when they started keep their threads: restart those with too many now',
      "users' sessions and units are confined with user.slice; AllowedCPUs= of their own managers does not lead out of it",
      ...(later.length > 0 ? [`CPUs that come online later (${listText(later)}) go to the system`] : []),
      `if all of ${listText(cpus)} go offline, the kernel lets ${name} run on the system CPUs`,
    ]),
  ];
}

/** What the release of a reservation does to those who are in its slice. */
export function releaseNotes(facts: CpuFacts, { name }: ReservationRecord, system: IndexSet): readonly PlanNote[] {
  const lost = lostAffinities(
    facts,
    facts.records.filter((record) => record.name !== name),
  );
  const inside = facts.tasks.filter(({ kind, cgroup }) => kind === 'user' && cgroup?.startsWith(`/${name}/`)).length;
  if (inside === 0) return lost;
  const many = inside === 1 ? 'one thread runs' : `${inside} threads run`;
  return [
    impact(`${many} in ${name}: from now on anybody may run beside them, and they on CPUs ${listText(system)}`),
    ...lost,
  ];
}
