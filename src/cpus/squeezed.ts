import type { PlanNote } from '../change/plan.ts';
import { equalSets, type IndexSet, intersection, isSubset, printIndexSet } from '../core/cpuset.ts';
import type { GroupCpus } from './groups.ts';
import { type Ghost, narrowTasks } from './hold/ghosts.ts';
import { canRun } from './hold/masks.ts';
import { keepsAffinity } from './kernel-version.ts';
import type { CpuFacts, ReservationRecord } from './model.ts';
import { listText } from './roles.ts';
import { foreignGroups, roleOf, shareOf, systemSet } from './shares.ts';

const MOST_ITEMS = 10;

/** The first ones, and how many more there are. */
export function shorten(items: readonly string[]): readonly string[] {
  return items.length <= MOST_ITEMS + 1
    ? items
    : [...items.slice(0, MOST_ITEMS), `and ${items.length - MOST_ITEMS} more`];
}

/** `docker-0123456789ab.scope`: ids of containers are as long as two lines. */
export function shortId(name: string): string {
  return name.replace(/([0-9a-f]{12})[0-9a-f]{52}/, '$1');
}

/** What the nearest group with CPUs of its own has, now and with the reservations. */
interface Squeeze {
  readonly now: IndexSet;
  /** Undefined where the reservations leave it alone. */
  readonly after: IndexSet | undefined;
  /** Whether the controller comes to the group with them, which gives tasks their masks anew. */
  readonly isNew: boolean;
}

function squeezes(facts: CpuFacts, records: readonly ReservationRecord[]): (cgroup: string) => Squeeze {
  const { groups, topology } = facts;
  const known = new Map((groups?.groups ?? []).map((group) => [group.path, group] as const));
  const nearest = (cgroup: string): GroupCpus | undefined => {
    for (let path = cgroup; path.length > 1; path = above(path)) {
      const group = known.get(path);
      if (group !== undefined) return group;
    }
    return undefined;
  };
  const afterOf = (cgroup: string): IndexSet | undefined => {
    const group = nearest(cgroup);
    if (group === undefined || isTop(group.path)) return openBelow(facts, records, topOf(cgroup));
    const open = afterOf(above(group.path));
    return open && shareOf({ given: group.asked ?? [] }, open);
  };
  return (cgroup) => {
    const after = afterOf(cgroup);
    return {
      now: intersection(nearest(cgroup)?.effective ?? groups?.root ?? topology.online, topology.online),
      after: after && intersection(after, topology.online),
      isNew: known.get(topOf(cgroup))?.asked === undefined,
    };
  };
}

/** What is open to a top-level group; undefined where the reservations leave it alone. */
function openBelow(facts: CpuFacts, records: readonly ReservationRecord[], path: string): IndexSet | undefined {
  const name = path.slice(1).replace(/^_/, '');
  const system = systemSet(facts, records);
  if (!/\.(?:slice|scope|service)$/.test(name)) return foreignGroups(facts).includes(path) ? system : undefined;
  const role = name.endsWith('.slice') ? roleOf(facts, records, name) : { kind: 'system' as const };
  if (role.kind === 'payload') return role.record.cpus;
  const unit = facts.units.find((one) => one.name === name);
  return role.kind === 'left' ? undefined : shareOf({ given: unit?.given ?? [] }, system);
}

const above = (path: string): string => path.slice(0, path.lastIndexOf('/'));
const isTop = (path: string): boolean => above(path) === '';
const topOf = (path: string): string => /^\/[^/]*/.exec(path)?.[0] ?? path;

/** Tasks whose affinity the kernel overwrites with that of their group. */
export function lostAffinities(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const [major, minor] = facts.kernel;
  if (keepsAffinity(facts.kernel)) return [];
  const squeezeOf = squeezes(facts, records);
  const lost = narrowTasks(facts).filter(({ cgroup }) => {
    const { now, after, isNew } = squeezeOf(cgroup);
    return isNew || (after !== undefined && !equalSets(now, after));
  });
  if (lost.length === 0) return [];
  return [
    {
      severity: 'impact',
      text: `Linux ${major}.${minor} forgets which CPUs a task chose or was pinned to when those of its group change, as Linux 6.2 and later do not: these may run on all CPUs of their group from then on, and neither slicectl undo nor slicectl cpus release gives back what they had. Restart them then, or pin them again`,
      items: shorten(lost.map(pinnedText)),
    },
  ];
}

const pinnedText = ({ unit, cgroup, allowed, tasks }: Ghost): string =>
  `${shortId(unit ?? cgroup)}: ${threadsText(tasks.length)} on ${listText(allowed)}`;

/** Tasks on CPUs of `isolcpus=`, which are neither the payload's nor the system's. */
export function movedOffIsolated(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const { isolated } = facts.topology;
  const squeezeOf = squeezes(facts, records);
  const moved = narrowTasks(facts).filter(({ cgroup, allowed }) => {
    const { after } = squeezeOf(cgroup);
    return isSubset(allowed, isolated) && after !== undefined && intersection(allowed, after).length === 0;
  });
  if (moved.length === 0) return [];
  return [
    {
      severity: 'impact',
      text: `these are pinned to CPUs of isolcpus=, which are no system CPUs: they are moved off them while the reservation holds. Keep their slice out of it with --keep, or run them in the slice that CPUs ${listText(isolated)} are reserved for`,
      items: shorten(moved.map(pinnedText)),
    },
  ];
}

/** Groups that systemd did not make, such as containers of Docker's cgroupfs driver, with CPUs of their own. */
export function lostSets(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const squeezeOf = squeezes(facts, records);
  const lines = (facts.groups?.version === 2 ? facts.groups.groups : []).flatMap(({ path, unit, asked = [] }) => {
    const { after } = squeezeOf(path);
    if (unit !== undefined || isTop(path) || after === undefined || isSubset(asked, after)) return [];
    return [`${shortId(path)}: ${printIndexSet(asked)} → ${listText(after)}`];
  });
  if (lines.length === 0) return [];
  return [
    {
      severity: 'impact',
      text: 'these groups ask for CPUs that they will not have, as containers with --cpuset-cpus do: they keep the others, and where there are none run on all CPUs of the group above',
      items: shorten(lines),
    },
  ];
}

/** Services that look as if they had counted the CPUs when they started. */
export function threadPools(facts: CpuFacts, records: readonly ReservationRecord[]): readonly PlanNote[] {
  const squeezeOf = squeezes(facts, records);
  const services = new Map<string, { cgroup: string; threads: number }>();
  for (const task of facts.tasks) {
    // Programs of users are in the service of their manager, which is none of them.
    const [cgroup, name] = /^.*?\/([^/]+\.service)(?=\/|$)/.exec(task.cgroup ?? '') ?? [];
    if (name === undefined || cgroup === undefined || !canRun(task) || name.startsWith('user@')) continue;
    const service = services.get(name) ?? { cgroup, threads: 0 };
    service.threads += 1;
    services.set(name, service);
  }
  const pools = [...services].flatMap(([name, { cgroup, threads }]) => {
    const { now, after = now } = squeezeOf(cgroup);
    return threads >= now.length && after.length < now.length ? [{ name, threads, now, after }] : [];
  });
  if (pools.length === 0) return [];
  const sorted = pools.toSorted((a, b) => b.threads - a.threads || (a.name < b.name ? -1 : 1));
  return [
    {
      severity: 'warning',
      text: 'these services have a thread or more for each CPU that they may use now: what counted CPUs when it started keeps its threads until it is restarted',
      items: shorten(
        sorted.map(
          ({ name, threads, now, after }) =>
            `${name}: ${threadsText(threads)}, ${now.length} → ${after.length} CPU${after.length === 1 ? '' : 's'}`,
        ),
      ),
    },
  ];
}

const threadsText = (count: number): string => `${count} thread${count === 1 ? '' : 's'}`;
