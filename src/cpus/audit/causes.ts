import { printSystemdList } from '../../core/cpu-list.ts';
import { type IndexSet, isSubset, printIndexSet } from '../../core/cpuset.ts';
import type { UnitFacts, WantedUnit } from '../model.ts';
import { isLiveDropIn, isOwnDropIn } from '../own-files.ts';
import { isLoose } from '../shares.ts';
import type { Meddler } from './traces.ts';
import type { AuditView } from './view.ts';

/** Why something of a unit is not as wanted, as far as traces tell; undefined where they do not. */
export function whoUndid(view: AuditView, wanted: WantedUnit, layer: string): string | undefined {
  const unit = view.facts.units.find(({ name }) => name === wanted.unit);
  return (
    controllerOff(view, layer) ??
    startedLoose(unit) ??
    hotplug(view, wanted, layer) ??
    hiddenBy(view, unit, wanted, layer) ??
    lostFile(view, wanted, layer) ??
    writtenBeside(view, unit, wanted, layer) ??
    outOfRange(view, wanted)
  );
}

/** intel-lpmd writes `-cpuset` to the root group, and systemd brings the controller back without the sets. */
export function controllerOff({ traces }: AuditView, layer: string): string | undefined {
  if (layer === 'dropIn' || layer === 'property') return undefined;
  if (traces.rootControllers === undefined || traces.rootControllers.includes('cpuset')) return undefined;
  return `somebody${suspect(traces.meddlers, ['intel_lpmd'])} wrote -cpuset to cgroup.subtree_control of the root group, which takes all sets away`;
}

/** A unit that nobody has confined yet. */
function startedLoose(unit: UnitFacts | undefined): string | undefined {
  if (unit === undefined || !isLoose(unit) || unit.dropIns.some((path) => isOwnDropIn(path) || isLiveDropIn(path))) {
    return undefined;
  }
  return 'it was started after the reservation and is in the root slice, where no slice confines it (Slice=system.slice in a drop-in keeps it off for good)';
}

/** A group all of whose CPUs are offline gets those of its parent. */
function hotplug({ facts }: AuditView, { cpus }: WantedUnit, layer: string): string | undefined {
  const { offline } = facts.topology;
  if ((layer !== 'effective' && layer !== 'masks') || cpus.length === 0 || !isSubset(cpus, offline)) return undefined;
  return `all of CPUs ${printIndexSet(cpus)} are offline, and the kernel gives a group without CPUs those of the group above`;
}

/** A drop-in of somebody else's that says another set and wins. */
function hiddenBy(
  { traces }: AuditView,
  unit: UnitFacts | undefined,
  { cpus }: WantedUnit,
  layer: string,
): string | undefined {
  if (layer === 'effective' || layer === 'masks' || unit === undefined) return undefined;
  const own = unit.dropIns.findLastIndex(isOwnDropIn);
  const setIn = (path: string): string | undefined =>
    [...(traces.texts.get(path) ?? '').matchAll(/^\s*AllowedCPUs\s*=(.*)$/gm)].at(-1)?.[1]?.trim();
  // What says the set of the reservation is slicectl's own, such as its live setting until reboot.
  const isOther = (path: string): boolean =>
    !isOwnDropIn(path) && ![undefined, '', printIndexSet(cpus), printSystemdList(cpus)].includes(setIn(path));
  const path =
    unit.dropIns.slice(own + 1).findLast(isOther) ??
    unit.dropIns.findLast((one) => one.includes('/system.control/') && isOther(one));
  if (path === undefined) return undefined;
  const set = setIn(path);
  if (path.startsWith('/etc/systemd/system.control/')) {
    return `somebody's systemctl set-property wrote ${path} (AllowedCPUs=${set}), which hides what is until reboot`;
  }
  if (path.startsWith('/run/systemd/system.control/')) {
    const who = suspect(traces.meddlers, ['intel_lpmd']);
    return `somebody${who || ', such as a hook,'} set it until reboot: ${path} (AllowedCPUs=${set})`;
  }
  return `${path} (AllowedCPUs=${set}) is read after the drop-in of the reservation`;
}

/** `systemctl revert UNIT` removes all drop-ins of the unit that are not of the vendor. */
function lostFile({ wanted, traces }: AuditView, { unit }: WantedUnit, layer: string): string | undefined {
  if (layer === 'effective' || layer === 'masks') return undefined;
  const lost = wanted.files
    .map(({ path }) => path)
    .find((path) => path.includes(`/${unit}.d/`) && traces.texts.get(path) === undefined);
  return lost && `${lost} is gone: somebody ran systemctl revert ${unit}, or removed it`;
}

/** The kernel has another set than systemd. */
function writtenBeside(
  { facts, traces }: AuditView,
  unit: UnitFacts | undefined,
  { cpus }: WantedUnit,
  layer: string,
): string | undefined {
  if (layer !== 'asked' || unit === undefined || printIndexSet(unit.allowed) !== printIndexSet(cpus)) return undefined;
  const asked = facts.groups?.groups.find(({ path }) => path === unit.cgroup)?.asked;
  const who = suspect(traces.meddlers, ['intel_lpmd', 'tuned']);
  return asked?.length === 0
    ? `cpuset was switched off and on again by somebody${who}, or the group was made anew: systemd did not write the set again`
    : `somebody${who} wrote cpuset.cpus beside systemd, which writes it again only when it realizes the unit anew`;
}

function outOfRange({ facts }: AuditView, { cpus }: WantedUnit): string | undefined {
  const absent: IndexSet = cpus.filter((cpu) => !facts.topology.possible.includes(cpu));
  return absent.length === 0
    ? undefined
    : `CPUs ${printIndexSet(absent)} cannot be on this machine, and the kernel refuses the whole set (ERANGE)`;
}

function suspect(running: readonly Meddler[], known: readonly Meddler[]): string {
  const here = known.filter((name) => running.includes(name));
  return here.length === 0 ? '' : ` (${here.join(', ')} runs)`;
}
