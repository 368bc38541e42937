import { equalSets, type IndexSet, intersection, isSubset, printIndexSet, union, without } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import type { HoldHost } from './host.ts';
import { readLoaded, setLoaded } from './loaded.ts';
import { narrowed, type TaskSet, taskList, tasksBelow } from './masks.ts';
import type { SetName } from './parameters.ts';
import { proveUnit, type UnitProof } from './proof.ts';
import { GroupSets, KINDS } from './sets.ts';
import { settled } from './settle.ts';

/** What the kernel has to hold after a call that systemd answers with success whatever the kernel said. */
const IN_KERNEL: ReadonlySet<string> = new Set(['property', 'asked', 'effective', 'masks']);

/**
 * Gives a loaded unit a set and proves that the kernel holds it. False where the unit is not loaded. `E_NOT_IN_FORCE`
 * where it could not be had: systemd writes a set only when it differs from what it believes to have written, so that one
 * that somebody changed behind its back needs another set first, and a lost controller a reload.
 */
export async function confine(host: HoldHost, unit: string, name: SetName, set: IndexSet): Promise<boolean> {
  const other = differing(set, KINDS[name].online(host.paths));
  const ways = [
    () => setLoaded(host, unit, name, set),
    () => setThrough(host, unit, name, [other, set]),
    async () => {
      await host.link.persist(({ manager }) => manager.reload());
      return setThrough(host, unit, name, [other, set]);
    },
  ];
  let wrong: UnitProof['findings'] = [];
  for (const way of ways) {
    if (!(await way())) return false;
    const { layers, findings } = await settled(
      () => proveUnit(host, { unit, name, wanted: set }),
      (proof) => failures(proof).length === 0,
    );
    wrong = failures({ findings });
    // Without a group there is nothing to hold yet: the unit gets its set when it starts.
    if (wrong.length === 0 || layers.effective === undefined) return true;
    // Neither helps against tasks that are elsewhere, or against a group above.
    if (!wrong.some(({ layer }) => layer === 'asked')) break;
  }
  throw notInForce(
    unit,
    wrong.map(({ what, cause }) => (cause === undefined ? what : `${what} (${cause})`)).join('; '),
  );
}

function failures({ findings }: Pick<UnitProof, 'findings'>): UnitProof['findings'] {
  return findings.filter(({ layer }) => IN_KERNEL.has(layer));
}

async function setThrough(host: HoldHost, unit: string, name: SetName, sets: readonly IndexSet[]): Promise<boolean> {
  for (const set of sets) if (!(await setLoaded(host, unit, name, set))) return false;
  return true;
}

/**
 * Another set, for a moment: the kernel gives tasks new masks only when the set of their group changes. One without its
 * last member; where it has but one, that and another one.
 */
export function differing(set: IndexSet, online: IndexSet): IndexSet {
  const usable = intersection(set, online);
  if (usable.length > 1) return without(set, usable.slice(-1));
  return union(set, without(online, set).slice(0, 1));
}

/** Whether a step of these sets can have left this one, also when it was killed while it set a {@link differing} one. */
export function isOurs(found: IndexSet, sets: readonly IndexSet[], online: IndexSet): boolean {
  return found.length === 0 || sets.some((set) => equalSets(set, found) || equalSets(differing(set, online), found));
}

/**
 * Gives a loaded unit all, explicitly, and proves that no task stays on `left` alone: an empty set would leave the masks
 * as they are (https://github.com/systemd/systemd/issues/43846). A task that stays there also when the set changes twice
 * has an affinity of its own.
 */
export async function widen(
  host: HoldHost,
  unit: string,
  name: SetName,
  { all, left }: { readonly all: IndexSet; readonly left: IndexSet },
): Promise<boolean> {
  if (!(await setLoaded(host, unit, name, all))) return false;
  const cgroup = (await readLoaded(host, unit, name))?.cgroup;
  if (cgroup === undefined) return true;
  const online = KINDS[name].online(host.paths);
  const look = (): readonly TaskSet[] =>
    narrowed(tasksBelow(host.paths, cgroup, name), left, new GroupSets(host.paths, name), online);
  if (look().length > 0) {
    const other = differing(all, online);
    if (!(await setLoaded(host, unit, name, other))) return true;
    // Whoever follows its group now has exactly what the group has.
    const following = tasksBelow(host.paths, cgroup, name).filter(({ allowed }) =>
      equalSets(intersection(allowed, online), intersection(other, online)),
    );
    if (!(await setLoaded(host, unit, name, all))) return true;
    const followers = new Set(following.map(({ tid }) => tid));
    const stay = await settled(
      () => look().filter(({ tid }) => followers.has(tid)),
      (tasks) => tasks.length === 0,
    );
    if (stay.length > 0) {
      throw notInForce(unit, `${stay.length} of its tasks stay on ${printIndexSet(left)}: ${taskList(stay)}`);
    }
  }
  const asked = await settled(
    () => new GroupSets(host.paths, name).asked(cgroup),
    (set) => isOpen(set, all, online),
  );
  if (isOpen(asked, all, online)) return true;
  throw notInForce(unit, `its group still asks for ${printIndexSet(asked ?? [])}, not ${printIndexSet(all)}`);
}

/** A group that asks for nothing, or has no such file, is open as the one above is. */
function isOpen(asked: IndexSet | undefined, all: IndexSet, online: IndexSet): boolean {
  return asked === undefined || asked.length === 0 || isSubset(intersection(all, online), asked);
}

function notInForce(unit: string, why: string): SlicectlError {
  return new SlicectlError('E_NOT_IN_FORCE', `the kernel does not hold what ${unit} was given: ${why}`, {
    hint: 'journalctl -b _PID=1 -g cpuset shows what systemd could not write',
    data: { unit },
  });
}
