import type { Refusal } from '../change/plan.ts';
import { type IndexSet, intersection, isSubset, printIndexSet } from '../core/cpuset.ts';
import { sliceLevels } from '../core/unit-name.ts';
import { isBefore } from './kernel-version.ts';
import { kubeletConflict } from './kubelet/conflict.ts';
import { type JobCpus, jobRefusals } from './lease/jobs.ts';
import { PLAIN_LEASE } from './lease/lease.ts';
import type { CpuFacts, ReservationRecord, UnitFacts } from './model.ts';
import { type Ground, listText, rolesText } from './roles.ts';
import { isLoose, roleOf, systemSet } from './shares.ts';

/** What is asked for, all of it decided. */
export interface Intent {
  readonly record: ReservationRecord;
  /** All that are to hold, this one among them. */
  readonly records: readonly ReservationRecord[];
  /** Jobs that have CPUs for themselves. */
  readonly leases: readonly JobCpus[];
}

/** Who asks. */
export interface Asker {
  readonly uid: number;
}

/** AllowedCPUs= (systemd 244, NEWS). */
const ALLOWED_CPUS = 244;

/** Why no CPUs can be reserved on this host at all. */
export function hostRefusals({ cgroups, hasCpuset, systemd }: CpuFacts, { uid }: Asker): readonly Refusal[] {
  const alone = 'slicectl run --exclusive N holds CPUs for one job without systemd';
  const refusals: Refusal[] = [];
  if (uid !== 0) refusals.push({ reason: 'only root may reserve CPUs', hint: 'run it with sudo' });
  if (cgroups !== 'unified') {
    const what = { hybrid: 'the hybrid layout', legacy: 'cgroup v1', none: 'no cgroups' }[cgroups];
    refusals.push({
      reason: `this host has ${what}, where systemd stores AllowedCPUs and does not apply it: it rules cpuset in cgroup v2 alone (systemd.resource-control(5))`,
      hint: `boot with systemd.unified_cgroup_hierarchy=1; or set CPUAffinity= in /etc/systemd/system.conf, which services inherit after a boot and can leave; or ${PLAIN_LEASE} gives one job CPUs in a cpuset group`,
    });
  }
  if (cgroups === 'unified' && !hasCpuset) {
    refusals.push({
      reason: 'the cpuset controller is missing here, so that systemd would store AllowedCPUs and nobody would hold it',
      hint: 'reserve on the host itself: a container or a kernel without the controller cannot',
    });
  }
  if (systemd === undefined) {
    refusals.push({
      reason: 'systemd does not run here or its bus does not answer, and it is what holds CPUs for slices',
      hint: alone,
    });
  } else if (systemd < ALLOWED_CPUS) {
    refusals.push({ reason: `systemd ${systemd} has no AllowedCPUs=, which came with 244`, hint: alone });
  }
  return refusals;
}

/** Slices and the scope in which the system itself is. */
const SYSTEM_UNITS = ['system.slice', 'user.slice', 'init.scope', '-.slice'];

/** Why a slice cannot have CPUs of its own. */
export function nameRefusals(name: string): readonly Refusal[] {
  if (SYSTEM_UNITS.includes(name)) {
    const what = name === '-.slice' ? 'it is everything' : 'the system itself is in it';
    return [
      { reason: `${name} cannot be the payload: ${what}`, hint: 'name a slice for the payload, such as db.slice' },
    ];
  }
  const levels = sliceLevels(name);
  const [top] = levels;
  if (levels.length < 2 || top === undefined) return [];
  const flat = name.replace(/\.slice$/, '').replaceAll('-', '_');
  return [
    {
      reason: `${name} lies in ${top}, whose CPUs bound its own`,
      hint: `reserve for ${top}, or name a slice without dashes, such as ${flat}.slice`,
    },
  ];
}

/** Why this reservation cannot be, both sets named in each. */
export function refusalsOf(facts: CpuFacts, ground: Ground, intent: Intent): readonly Refusal[] {
  const { record } = intent;
  const found = [
    ...jobRefusals(record, intent.leases),
    ...(record.kubelet ? [] : [kubeletConflict(facts, record.cpus) ?? []].flat()),
    ...outsideRefusals(facts, intent.records),
    ...partitionRefusals(facts, intent),
  ];
  const roles = rolesText(ground, record.cpus);
  return found.map((refusal) =>
    refusal.reason.includes(roles) ? refusal : { ...refusal, reason: `${refusal.reason} (${roles})` },
  );
}

/** Units whose own AllowedCPUs has nothing of what would be open to them: the kernel would let them run anywhere there. */
function outsideRefusals(facts: CpuFacts, records: readonly ReservationRecord[]): readonly Refusal[] {
  return facts.units.flatMap((unit): Refusal[] => {
    const open = openTo(facts, records, unit);
    if (unit.given.length === 0 || open === undefined || intersection(unit.given, open).length > 0) return [];
    const change = `change it (systemctl cat ${unit.name} shows where it is set)`;
    const slice = unit.name.endsWith('.slice') ? unit.name : unit.slice;
    const keep = `, or leave its slice out with --keep ${sliceLevels(slice)[0] ?? 'SLICE'}`;
    const hint = isBesideSlices(unit) ? change : `${change}${keep}`;
    return [
      {
        reason: `${unit.name} asks for CPUs ${printIndexSet(unit.given)} by AllowedCPUs=, and none of them would be open to it`,
        hint,
      },
    ];
  });
}

/** The CPUs of the slice that a unit is or is in; undefined where the reservations leave it alone. */
export function openTo(
  facts: CpuFacts,
  records: readonly ReservationRecord[],
  { name, slice }: Pick<UnitFacts, 'name' | 'slice'>,
): IndexSet | undefined {
  if (isBesideSlices({ name, slice })) return systemSet(facts, records);
  const place = name.endsWith('.slice') ? name : slice;
  if (place === '-.slice' || place === '') return undefined;
  const role = roleOf(facts, records, place);
  if (role.kind === 'left') return undefined;
  if (role.kind === 'system') return systemSet(facts, records);
  return role.record.name === name ? undefined : role.record.cpus;
}

/** Whether no slice confines a unit, so that it gets the system CPUs by itself and none can be kept for it. */
function isBesideSlices(unit: Pick<UnitFacts, 'name' | 'slice'>): boolean {
  return unit.name === 'init.scope' || isLoose(unit);
}

/** Partitions of cgroup v2 as types: `root` and `isolated` (cgroup-v2.rst). */
const ISOLATED_KERNEL = [6, 1] as const;
const ISOLATED_ON_ISOLCPUS_KERNEL = [7, 2] as const;

function partitionRefusals(facts: CpuFacts, { record, records }: Intent): readonly Refusal[] {
  const { topology, kernel, groups, units } = facts;
  const { partition, cpus, name } = record;
  if (partition === undefined) return overlapWithPartitions(facts, records, cpus);
  const refusals: Refusal[] = [];
  const version = kernel.join('.');
  const isOnIsolated = intersection(cpus, topology.isolated).length > 0;
  if (partition === 'isolated' && isBefore(kernel, ISOLATED_KERNEL)) {
    refusals.push({
      reason: `Linux ${version} has no partitions of type isolated, which came with 6.1`,
      hint: 'use --partition root',
    });
  }
  if (isOnIsolated && (partition === 'root' || isBefore(kernel, ISOLATED_ON_ISOLCPUS_KERNEL))) {
    refusals.push({
      reason: `Linux ${version} makes no partition of type ${partition} of CPUs of isolcpus=: they conflict with its housekeeping`,
      hint: 'leave --partition out, or isolcpus= off the kernel command line',
    });
  }
  if (record.kubelet) {
    refusals.push({
      reason: 'a partition of CPUs that the kubelet gives to pods would be broken by the next pod',
      hint: 'leave --partition out',
    });
  }
  // Who lists the CPUs of a partition makes it invalid before 7.2, and loses them to it from then on.
  const others = units.filter(
    (unit) =>
      unit.name !== name &&
      roleOf(facts, records, unit.slice === '' ? unit.name : unit.name.endsWith('.slice') ? unit.name : unit.slice)
        .kind === 'left' &&
      intersection(unit.given, cpus).length > 0,
  );
  for (const unit of others) {
    refusals.push({
      reason: `${unit.name} is kept with its CPUs ${printIndexSet(unit.given)}, which no partition can have at the same time`,
      hint: 'leave --partition out, or do not keep it',
    });
  }
  if (groups !== undefined && isSubset(groups.root, cpus)) {
    refusals.push({ reason: 'the partition would have all CPUs', hint: 'reserve fewer' });
  }
  return [...refusals, ...overlapWithPartitions(facts, records, cpus)];
}

/** Partitions that somebody else made of the same CPUs. */
function overlapWithPartitions(
  { groups }: CpuFacts,
  records: readonly ReservationRecord[],
  cpus: IndexSet,
): readonly Refusal[] {
  const own = new Set(records.map(({ name }) => `/${name}`));
  return (groups?.groups ?? []).flatMap(({ path, partition, effective }): Refusal[] => {
    const both = intersection(effective, cpus);
    const isForeign = partition !== undefined && partition.type !== 'member' && !own.has(path);
    if (!isForeign || both.length === 0) return [];
    const hint = `make it a member first: echo member > /sys/fs/cgroup${path}/cpuset.cpus.partition`;
    return [{ reason: `CPUs ${listText(both)} belong to the partition ${path}, which slicectl did not make`, hint }];
  });
}
