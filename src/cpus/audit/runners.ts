import { intersection, printIndexSet } from '../../core/cpuset.ts';
import type { Finding } from '../finding.ts';
import type { Runner } from './can-run.ts';
import type { Activity } from './did-run.ts';
import { type AuditView, systemOf } from './view.ts';
import { countText, durationText, listed } from './words.ts';

const FIX = 'slicectl cpus audit --fix';

/** Says of each place whose tasks may run on payload CPUs why they may, and the way out. `drift` is of the units. */
export function runnerFindings(
  view: AuditView,
  runners: readonly Runner[],
  drift: readonly Finding[],
  activity: Activity | undefined,
): Finding[] {
  return runners.map((runner) => ({ ...whyOf(view, runner, drift), ...whoOf(runner, activity) }));
}

function whoOf({ place, tasks, cpus, record, affinity }: Runner, activity: Activity | undefined) {
  const processes = new Set(tasks.map(({ pid }) => pid)).size;
  const counted =
    processes === tasks.length
      ? countText(processes, 'process')
      : `${countText(tasks.length, 'thread')} of ${countText(processes, 'process')}`;
  const names = listed(tasks.map(({ name }) => name));
  const pinned = affinity === undefined ? '' : `, pinned to ${printIndexSet(affinity)},`;
  return {
    subject: place.detail === undefined ? place.name : `${place.name} (${place.detail})`,
    what: `${counted} (${names})${pinned} may run on payload CPUs ${printIndexSet(cpus)} of ${record.name}${ranText(tasks, activity)}`,
  };
}

function ranText(tasks: Runner['tasks'], activity: Activity | undefined): string {
  if (activity === undefined) return '';
  const tids = new Set(tasks.map(({ tid }) => tid));
  const ranMs = activity.tasks.filter(({ task }) => tids.has(task.tid)).reduce((sum, one) => sum + one.ranMs, 0);
  const window = durationText(activity.windowMs);
  return ranMs > 0 ? `, and ran there for ${durationText(ranMs)} of ${window}` : `; they did not in ${window}`;
}

type Why = Pick<Finding, 'kind' | 'severity' | 'cause' | 'cure' | 'isFixable'>;

function whyOf(view: AuditView, { place, record, keptBy }: Runner, drift: readonly Finding[]): Why {
  const { wanted } = view;
  const system = printIndexSet(systemOf(view));
  const unit = place.top.slice(1);
  const breach = (kind: string, cause: string, cure: string, isFixable = false): Why => ({
    kind,
    severity: 'breach',
    cause,
    cure,
    isFixable,
  });
  if (keptBy !== undefined) {
    const cause =
      keptBy === record.name
        ? `${unit} was left out of the reservation (--keep)`
        : `the reservation of ${keptBy} leaves ${unit} out (--keep), and so do all others: a slice has one set`;
    return { ...breach('tasks-kept', cause, ''), severity: 'info' };
  }
  const known = drift.find(({ subject }) => subject === unit || subject === place.top);
  if (known !== undefined) return breach(`tasks-of-${place.kind}`, known.cause, known.cure, known.isFixable);
  switch (place.kind) {
    case 'root':
      return breach(
        'tasks-of-root-group',
        'they are in the root group, which has no set',
        'start them from a unit: systemd-run --scope, or a service',
      );
    case 'root-unit':
      return breach(
        'tasks-of-root-slice',
        'their unit is in the root slice (Slice=-.slice), which has no set',
        place.name.endsWith('.service')
          ? `Slice=system.slice in a drop-in (systemctl edit ${place.name}) and a restart; until then systemctl set-property --runtime ${place.name} AllowedCPUs=${system}`
          : `systemctl set-property --runtime ${place.name} AllowedCPUs=${system}`,
      );
    case 'pod':
      return breach(
        'tasks-of-pod',
        'the kubelet gives its pods these CPUs',
        `keep them to the system CPUs (reservedSystemCPUs: "${system}" with strict-cpu-reservation gives pods all others), or slicectl cpus reserve … --kubelet`,
      );
    case 'foreign': {
      const isWanted = wanted.groups.some(({ path }) => path === place.top);
      return breach(
        'tasks-of-foreign-group',
        `${place.top} is a group that systemd did not make (a container runtime with the cgroupfs driver does so)`,
        isWanted
          ? FIX
          : `slicectl driver align --to systemd; until then echo ${system} >/sys/fs/cgroup${place.top}/cpuset.cpus`,
        isWanted,
      );
    }
    default: {
      const other = view.facts.records.find(({ name }) => name === unit && name !== record.name);
      if (other !== undefined) {
        return breach(
          'tasks-of-other-reservation',
          `${unit} has a reservation of its own (${printIndexSet(other.cpus)}), which its tasks leave`,
          FIX,
          true,
        );
      }
      const set = view.facts.groups?.groups.find(({ path }) => path === place.top);
      const has = set?.asked?.length
        ? `asks for ${printIndexSet(intersection(set.asked, view.facts.topology.possible))}`
        : 'has no set';
      const isWanted = wanted.units.some((one) => one.unit === unit);
      return breach(
        `tasks-of-${place.kind}`,
        `${unit} ${has}`,
        isWanted ? FIX : `slicectl cpus reserve again, which confines ${unit} too`,
        isWanted,
      );
    }
  }
}
