import type { Action, Parameters } from '../../change/plan.ts';
import { equalSets, type IndexSet, parseIndexSet, printIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { isLiveDropIn } from '../own-files.ts';
import { confine, isOurs, widen } from './force.ts';
import type { HoldHost } from './host.ts';
import { bootId, noteSlices, type SliceDropIns, tidySlices } from './leftovers.ts';
import { readLoaded } from './loaded.ts';
import type { UnitParameters } from './parameters.ts';
import { KINDS } from './sets.ts';
import { ownSet, sweepSlices } from './sweep.ts';
import { type OwnDropIns, readOwnDropIns, restoreOwnDropIns, setInFiles } from './written.ts';

/** systemd's own drop-ins of the time before, which end with the boot in which they were made. */
interface UnitFacts extends SliceDropIns {
  readonly own: OwnDropIns;
}

/** `cpus.unit`. */
export function unitAction(host: HoldHost): Action {
  return {
    async assertAsPlanned(parameters) {
      const { unit, name, before } = read(parameters);
      const loaded = await readLoaded(host, unit, name);
      if (loaded === undefined || equalSets(loaded.property, before)) return;
      throw changed(unit, `${name} is ${printIndexSet(loaded.property) || 'not set'} now; nothing was written`);
    },
    async facts(parameters) {
      const { unit, name } = read(parameters);
      const below = unit.endsWith('.slice')
        ? await noteSlices(host, name, unit)
        : { boot: bootId(host.paths), slices: {} };
      return { ...below, own: readOwnDropIns(host.tree, unit, name) };
    },
    async carryOut(parameters, facts) {
      const { unit, name, before, after, all } = read(parameters);
      if (after.length > 0) {
        // One that is gone has nothing to hold, nor files that could say otherwise.
        if (!(await confine(host, unit, name, after))) return undefined;
        if (isInFiles(host, parameters)) restore(host, facts);
        await assertLasts(host, parameters);
        return undefined;
      }
      await release(host, parameters, { from: before, to: all, isAll: true });
      // Also what an earlier change left there: a unit that is to have nothing has no such file.
      restoreOwnDropIns(host.tree, nothingOf(readOwnDropIns(host.tree, unit, name)));
      await tidyBelow(host, parameters, facts);
      return undefined;
    },
    async takeBack(parameters, facts) {
      const { unit, name, before, after, all } = read(parameters);
      const loaded = await readLoaded(host, unit, name);
      if (loaded !== undefined && !isOurs(loaded.property, [before, after, all], KINDS[name].online(host.paths))) {
        throw changed(unit, `${name} was set to ${printIndexSet(loaded.property)} meanwhile and is left so`);
      }
      if (after.length === 0) await confine(host, unit, name, before);
      else if (before.length === 0) await release(host, parameters, { from: after, to: all, isAll: true });
      else await release(host, parameters, { from: after, to: before, isAll: false });
      restore(host, facts);
      await tidyBelow(host, parameters, facts);
    },
  };
}

interface Release {
  readonly from: IndexSet;
  readonly to: IndexSet;
  readonly isAll: boolean;
}

/** The slices below first: what they ask for counts when the unit has more. And after, since more come to light then. */
async function release(host: HoldHost, parameters: Parameters, { from, to, isAll }: Release): Promise<void> {
  const { unit, name } = read(parameters);
  const below = { name, from, to, isAll, below: unit };
  if (unit.endsWith('.slice') && from.length > 0) await sweepSlices(host, below);
  if (isAll) await widen(host, unit, name, { all: to, left: from });
  else await confine(host, unit, name, to);
  if (unit.endsWith('.slice') && from.length > 0) await sweepSlices(host, below);
}

/** Whether a reload gives the unit its set without what systemd wrote for the call; also once our files are gone. */
function isInFiles(host: HoldHost, parameters: Parameters): boolean {
  const { unit, name, after } = read(parameters);
  const written = setInFiles(host.tree, unit, name, (path) => !isLiveDropIn(path, name));
  return equalSets(written, after) || equalSets(ownSet(host, unit, name), after);
}

/**
 * Somebody's file that is read after ours would give the unit another set at the next reload, or boot. Ours may still be
 * there where they are about to go.
 */
async function assertLasts(host: HoldHost, parameters: Parameters): Promise<void> {
  const { unit, name, after } = read(parameters);
  const written = setInFiles(host.tree, unit, name);
  if (equalSets(written, after) || equalSets(ownSet(host, unit, name), after)) return;
  if ((await readLoaded(host, unit, name)) === undefined) return;
  throw new SlicectlError(
    'E_NOT_IN_FORCE',
    `the files of ${unit} give it ${name}=${printIndexSet(written)} at the next reload of systemd, not ${printIndexSet(after)}`,
    { hint: `systemctl cat ${unit} shows which file says so last`, data: { unit } },
  );
}

async function tidyBelow(host: HoldHost, parameters: Parameters, facts: Parameters): Promise<void> {
  const { unit, name, before, after, all } = read(parameters);
  if (!unit.endsWith('.slice')) return;
  await tidySlices(host, facts as unknown as UnitFacts, { name, sets: [before, after, all] }, unit);
}

function restore({ tree, paths }: HoldHost, facts: Parameters): void {
  const { boot, own } = facts as unknown as UnitFacts;
  restoreOwnDropIns(tree, boot === bootId(paths) ? own : nothingOf(own));
}

function nothingOf(own: OwnDropIns): OwnDropIns {
  return Object.fromEntries(Object.keys(own).map((path) => [path, null]));
}

function read(parameters: Parameters) {
  const { unit, name, before, after, all } = parameters as unknown as UnitParameters;
  const set = (text: string): IndexSet => parseIndexSet(text, name);
  return { unit, name, before: set(before), after: set(after), all: set(all) };
}

function changed(unit: string, what: string): SlicectlError {
  return new SlicectlError('E_CHANGED', `${unit}: ${what}`, {
    hint: 'systemctl show says what it is; make the plan again',
    data: { unit },
  });
}
