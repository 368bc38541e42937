import { type IndexSet, intersection, printIndexSet, without } from '../../core/cpuset.ts';
import type { Task } from '../../host/tasks.ts';
import type { Finding } from '../finding.ts';
import type { Ghost } from '../hold/ghosts.ts';
import { canRun } from '../hold/masks.ts';
import type { CpuFacts } from '../model.ts';
import { type Place, placeOf } from './place.ts';
import type { AuditView } from './view.ts';
import { countText, listed } from './words.ts';

/**
 * Tasks that a set which is no more left narrow: when systemd drops the cpuset controller, the kernel keeps the masks of
 * what runs, and no file tells why.
 */
export interface Ghosts {
  /** The top-level unit that they are in. */
  readonly unit: string;
  readonly mask: IndexSet;
  /** Where their groups may run. */
  readonly open: IndexSet;
  readonly tasks: readonly Task[];
  /** The units that they are in, by name. */
  readonly units: readonly string[];
  /**
   * Whether no other reason is likely. A program may give itself an affinity, which looks the same; that all threads of
   * several units have the same one is a set that was above them. One worker of many that has one was pinned.
   */
  readonly isSure: boolean;
}

/**
 * Joins narrow tasks by their top-level unit and mask: a set that is gone was one for all that was below it. Pods are left
 * out, and slices that reservations leave alone: their CPUs are not ours to set.
 */
export function judgeGhosts(found: readonly Ghost[], { facts, wanted }: AuditView): readonly Ghosts[] {
  const { online } = facts.topology;
  const payloads = new Set(wanted.units.filter(({ role }) => role === 'payload').map(({ unit }) => unit));
  const isWhole = wholeUnits(facts);
  const joined = new Map<string, Joined>();
  for (const { cgroup, allowed, open, tasks } of found) {
    const place = placeOf(cgroup);
    const unit = place.top.slice(1);
    const mask = intersection(allowed, online);
    const isLeft = place.kind === 'pod' || wanted.left.includes(unit);
    // Payload pins its threads itself: that is what it has CPUs of its own for.
    if (place.kind === 'root' || place.kind === 'foreign' || payloads.has(unit) || isLeft) continue;
    const whole = isWhole(place, mask);
    const key = [unit, printIndexSet(mask), whole].join('\0');
    const one = joined.get(key) ?? { unit, mask, open: intersection(open, online), tasks: [], units: new Set(), whole };
    one.tasks.push(...tasks);
    one.units.add(nameOf(place));
    joined.set(key, one);
  }
  return [...joined.values()]
    .map(({ whole, ...one }) => ({
      ...one,
      units: [...one.units].sort(),
      // PID 1 chooses no CPUs but those it is told to, and hands its mask down.
      isSure: (whole && one.units.size > 1) || one.tasks.some(({ tid }) => tid === 1),
    }))
    .sort((a, b) => Number(b.isSure) - Number(a.isSure) || b.tasks.length - a.tasks.length);
}

interface Joined {
  readonly unit: string;
  readonly mask: IndexSet;
  readonly open: IndexSet;
  readonly tasks: Task[];
  readonly units: Set<string>;
  readonly whole: boolean;
}

/** Tells of a place whether all its user tasks have a mask. */
function wholeUnits({ tasks, topology }: CpuFacts): (place: Place, mask: IndexSet) => boolean {
  const masks = new Map<string, Set<string>>();
  for (const task of tasks) {
    if (!canRun(task) || task.cgroup === undefined) continue;
    const key = nameOf(placeOf(task.cgroup));
    masks.set(key, (masks.get(key) ?? new Set()).add(printIndexSet(intersection(task.allowed, topology.online))));
  }
  return (place, mask) => [...(masks.get(nameOf(place)) ?? [])].every((other) => other === printIndexSet(mask));
}

function nameOf({ name, detail }: Place): string {
  return detail === undefined ? name : `${name} (${detail})`;
}

/** The set that cures them: less than now by one CPU, so that the kernel gives masks anew, and then `open` again. */
export function cureOf({ open, mask }: Pick<Ghosts, 'open' | 'mask'>): IndexSet {
  const spare = without(open, mask).at(-1) ?? open.at(-1);
  return open.filter((cpu) => cpu !== spare);
}

export function ghostFindings(all: readonly Ghosts[]): Finding[] {
  return all.map((ghosts) => {
    const { unit, mask, open, tasks, units, isSure } = ghosts;
    const whole = printIndexSet(open);
    const byHand = `systemctl set-property --runtime ${unit} AllowedCPUs=${printIndexSet(cureOf(ghosts))}, and again with ${whole}`;
    const who = `${countText(tasks.length, 'thread')} of ${listed(units)}`;
    return {
      kind: isSure ? 'ghost-mask' : 'own-mask',
      severity: isSure ? 'drift' : 'info',
      subject: unit,
      what: `${who} may run on CPUs ${printIndexSet(mask)} only, though ${unit} is open to ${whole}`,
      cause: isSure
        ? 'a set above them was taken away before it was widened (as systemctl revert does), and the kernel keeps their masks'
        : 'the program chose these CPUs itself, or a set that is no more left it so',
      cure: isSure ? byHand : `where nobody chose them: ${byHand}`,
      isFixable: isSure,
    };
  });
}
