import { type IndexSet, intersection, printIndexSet, union, without } from '../../core/cpuset.ts';
import type { GroupCpus, Partition } from '../../cpus/groups.ts';
import { holderText } from '../../cpus/lease/pick.ts';
import { listText } from '../../cpus/roles.ts';
import type { CpuReport } from '../../cpus/show.ts';
import type { Source } from '../../drivers/model.ts';
import { type PictureStyle, pictureText, wrapped } from './cpus-picture.ts';
import { tableText } from './table.ts';

/** The picture of the machine, the two sets by their roles, and who may run where. */
export function showText(report: CpuReport, style: PictureStyle): string {
  const parts = [
    pictureText(report.topology, report.payload, style),
    rolesSection(report, style),
    leasesSection(report, style),
    bootSection(report, style),
    accessSection(report, style),
    groupsSection(report),
    unitsSection(report),
    pinnedSection(report, style),
    interruptsSection(report, style),
    kubeletSection(report, style),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function section(title: string, lines: readonly string[], { paint }: PictureStyle): string {
  return lines.length === 0 ? '' : [paint('bold', title), ...lines].map((line) => `${line}\n`).join('');
}

/** `  name: list`, wrapped. */
function row(name: string, list: string, { width }: PictureStyle): string[] {
  return wrapped(`  ${name} `, list, width);
}

function rolesSection({ payload, system, reservations, topology }: CpuReport, style: PictureStyle): string {
  const online = intersection(system, topology.online);
  const lines = [
    ...row('payload CPUs', payload.length === 0 ? 'none: nothing is reserved' : printIndexSet(payload), style),
    ...row('system CPUs ', listText(online), style),
    ...reservations.flatMap(({ name, cpus }) => row(`${name}:`, printIndexSet(cpus), style)),
  ];
  return section('Roles', lines, style);
}

function leasesSection({ leases }: CpuReport, style: PictureStyle): string {
  const lines = leases.flatMap((lease) => {
    const within = lease.reservation === undefined ? '' : `, in the reservation for ${lease.reservation}`;
    return wrapped(
      `  ${printIndexSet(lease.cpus)}: `,
      `${holderText(lease)}, since ${lease.since}${within}`,
      style.width,
    );
  });
  return section('Leased by slicectl run --exclusive', lines, style);
}

function bootSection({ kernelLine, managerAffinity, topology }: CpuReport, style: PictureStyle): string {
  const sets = [
    ['isolcpus', kernelLine.isolcpus],
    ['nohz_full', kernelLine.nohzFull],
    ['rcu_nocbs', kernelLine.rcuNocbs],
    ['irqaffinity', kernelLine.irqaffinity],
    ['kthread_cpus', kernelLine.kthreadCpus],
    ['systemd.cpu_affinity', kernelLine.systemdCpuAffinity],
  ] as const;
  const lines = [
    ...sets.flatMap(([name, set]) => (set === undefined ? [] : row(`${name}=`, set.text, style))),
    ...(managerAffinity === undefined
      ? []
      : [...row('CPUAffinity= of systemd:', listText(managerAffinity.cpus), style), `    by ${managerAffinity.path}`]),
    ...(kernelLine.maxcpus === undefined ? [] : [`  maxcpus=${kernelLine.maxcpus}`]),
    ...(kernelLine.nosmt === undefined ? [] : [`  nosmt${kernelLine.nosmt === 'force' ? '=force' : ''}`]),
    ...kernelLine.problems.map((text) => `  ${style.paint('yellow', 'ignored by the kernel:')} ${text}`),
    ...(topology.smtControl === 'off' || topology.smtControl === 'forceoff'
      ? ['  second threads are switched off (smt/control)']
      : []),
  ];
  return section('Set at boot', lines, style);
}

function accessSection({ access, groups, topology, payload }: CpuReport, style: PictureStyle): string {
  if (groups === undefined) return section('Who may run where', ['  no cpuset hierarchy is mounted'], style);
  const all = [...new Set(access.flatMap((one) => one.groups))].sort();
  const lines = access.flatMap(({ cpus, groups: open }) => {
    const closed = all.filter((path) => !open.includes(path));
    const text =
      closed.length === 0
        ? 'every group'
        : open.length === 0
          ? 'nobody'
          : closed.length < open.length && intersection(cpus, payload).length === 0
            ? `all but ${closed.map(groupName).join(', ')}`
            : open.filter(hasTasks).map(groupName).join(', ');
    return wrapped(`  ${printIndexSet(cpus)}: `, text, style.width);
  });
  const free = without(groups.isolated, topology.isolated);
  return section(
    'Who may run where',
    [...lines, ...(free.length === 0 ? [] : row('isolated partitions:', printIndexSet(free), style))],
    style,
  );
}

/** Groups of mounts and swap stay when the programs that made them have ended. */
function hasTasks(path: string): boolean {
  return !/\.(?:mount|swap)$/.test(path);
}

/** `/` stands for all that has no top-level group of its own. */
function groupName(path: string): string {
  return path === '/' ? 'the root group and new groups' : path.slice(1);
}

/** Groups that ask for CPUs, are narrower than what is above them, or are partitions. */
function groupsSection({ groups }: CpuReport): string {
  const told = (groups?.groups ?? []).filter((group) => tells(group, groups?.root ?? []));
  if (told.length === 0) return '';
  return tableText(
    ['GROUP', 'ASKED', 'EFFECTIVE', 'PARTITION'],
    told.map(({ path, asked, effective, partition }) => [
      path,
      asked === undefined ? '-' : printIndexSet(asked) || '-',
      listText(effective),
      partition === undefined ? '-' : partitionText(partition),
    ]),
  );
}

function tells({ asked, effective, partition }: GroupCpus, root: readonly number[]): boolean {
  const isPlain = partition === undefined || partition.type === 'member';
  return (asked?.length ?? 0) > 0 || !isPlain || printIndexSet(effective) !== printIndexSet(root);
}

function partitionText({ type, invalid }: Partition): string {
  return invalid === undefined ? type : `${type} invalid: ${invalid}`;
}

function unitsSection({ units }: CpuReport): string {
  if (units === undefined || units.length === 0) return '';
  return tableText(
    ['UNIT', 'STATE', 'ALLOWEDCPUS', 'EFFECTIVECPUS', 'CPUAFFINITY'],
    units.map(({ name, activeState, allowed, effective, affinity }) => [
      name,
      activeState,
      printIndexSet(allowed) || '-',
      printIndexSet(effective) || '-',
      printIndexSet(affinity) || '-',
    ]),
  );
}

const MOST_PINNED = 10;

function pinnedSection({ pinned }: CpuReport, style: PictureStyle): string {
  const lines = pinned.slice(0, MOST_PINNED).map(({ cgroup, allowed, threads, names }) => {
    const count = threads === 1 ? '1 thread' : `${threads} threads`;
    return `  ${printIndexSet(allowed)}: ${count} of ${cgroup} (${names.join(', ')})`;
  });
  const more =
    pinned.length > MOST_PINNED ? [`  and ${pinned.length - MOST_PINNED} groups more (--json has them)`] : [];
  return section('Threads with a narrower mask than their group', [...lines, ...more], style);
}

function interruptsSection(
  { interrupts, irqbalance, workqueues, payload, topology }: CpuReport,
  style: PictureStyle,
): string {
  const { lines, defaultAffinity } = interrupts;
  // Numbers that no device has used stand in /proc/irq, but not in /proc/interrupts.
  const used = lines.filter(({ affinity, source }) => affinity !== undefined && source !== '');
  const places = placesText(used.map(({ affinity }) => intersection(affinity ?? [], topology.online)));
  const onPayload = used.filter(
    ({ effective, affinity }) => intersection(effective ?? affinity ?? [], payload).length > 0,
  );
  const all = [
    ...(used.length === 0 ? [] : wrapped('  lines: ', places, style.width)),
    ...(payload.length === 0 ? [] : [`  that come on payload CPUs: ${onPayload.length}`]),
    ...(defaultAffinity === undefined ? [] : row('new lines:', listText(defaultAffinity), style)),
    ...(irqbalance === undefined ? [] : [`  irqbalance ${irqbalance.isRunning ? 'runs' : 'does not run'}`]),
    ...(irqbalance?.banned ?? []).flatMap(({ variable, cpus, text }) =>
      row(`${variable}:`, cpus === undefined ? `${text} (not readable)` : listText(cpus), style),
    ),
    ...(workqueues === undefined ? [] : row('unbound workqueues:', listText(workqueues.cpumask), style)),
  ];
  return section('Interrupts and workers', all, style);
}

const MOST_PLACES = 8;

/** `7 on 0-7, 24 on one CPU each (0-7)`: queues of devices have a line for each CPU. */
function placesText(affinities: readonly IndexSet[]): string {
  const single = affinities.filter((cpus) => cpus.length === 1);
  const singles = union(...single);
  const isSpread = singles.length > 1;
  const byPlace = new Map<string, number>();
  for (const cpus of isSpread ? affinities.filter((each) => each.length !== 1) : affinities)
    byPlace.set(listText(cpus), (byPlace.get(listText(cpus)) ?? 0) + 1);
  const places = [...byPlace].toSorted((a, b) => b[1] - a[1]).map(([place, count]) => `${count} on ${place}`);
  const shown = places.slice(0, MOST_PLACES);
  const more = places.length - shown.length;
  return [
    ...shown,
    ...(more === 0 ? [] : [`and ${more} places more`]),
    ...(isSpread ? [`${single.length} on one CPU each (${printIndexSet(singles)})`] : []),
  ].join(', ');
}

function kubeletSection({ kubelet }: CpuReport, style: PictureStyle): string {
  if (kubelet === undefined) return '';
  const { policy, policyOptions, reserved, sources, state, problems, misspelt } = kubelet;
  const options = Object.entries(policyOptions).map(([name, value]) => `${name}=${value}`);
  const kept = reserved === undefined ? 'not set' : listText(reserved);
  const lines = [
    ...(kubelet.version === undefined
      ? []
      : [`  version ${kubelet.version}, ${kubelet.isRunning ? 'runs' : 'does not run'}`]),
    ...wrapped('  CPU manager policy: ', [policy, ...options].join(', '), style.width),
    `  topology manager policy: ${kubelet.topologyPolicy}`,
    ...row('reserved for the system (reservedSystemCPUs):', kept, style),
    ...writtenAt(sources.reservedSystemCPUs),
    ...misspelt.map(({ key, path, line }) => `  ${style.paint('yellow', 'sets nothing:')} ${key} in ${path}:${line}`),
    ...(state === undefined ? [] : row('shared by pods:', listText(state.shared), style)),
    ...(state?.exclusive ?? []).flatMap(({ pod, container, cpus }) =>
      row(`exclusive to ${container} of pod ${pod}:`, listText(cpus), style),
    ),
    ...problems.map((text) => `  ${style.paint('yellow', 'not readable:')} ${text}`),
  ];
  return section('Kubelet', lines, style);
}

function writtenAt(source: Source | undefined): string[] {
  if (source === undefined) return [];
  const { path, line, text } = source;
  return [`    by ${path === undefined ? text : `${path}${line === undefined ? '' : `:${line}`}`}`];
}
