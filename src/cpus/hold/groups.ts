import { mkdirSync } from 'node:fs';
import type { Action, Parameters } from '../../change/plan.ts';
import { equalSets, type IndexSet, intersection, isSubset, parseIndexSet, printIndexSet } from '../../core/cpuset.ts';
import { badInput, errnoOf, quote, SlicectlError } from '../../core/errors.ts';
import { isGroup } from '../../host/control-writes.ts';
import { differing, isOurs } from './force.ts';
import type { HoldHost } from './host.ts';
import { writeKernel } from './kernel-file.ts';
import { narrowed, outside, taskList, tasksBelow } from './masks.ts';
import type { GroupParameters } from './parameters.ts';
import { GroupSets, KINDS } from './sets.ts';
import { settled } from './settle.ts';

/** `cpus.group`: through the kernel's file, since systemd does not know the group. One that is gone is done. */
export function groupAction({ paths }: Pick<HoldHost, 'paths'>): Action {
  const askedAt = (path: string): IndexSet | undefined => new GroupSets(paths, 'AllowedCPUs').asked(path);
  const put = (path: string, set: IndexSet): void =>
    writeKernel(`${new GroupSets(paths, 'AllowedCPUs').mount}${path}/cpuset.cpus`, printIndexSet(set));
  const isThere = (path: string): boolean => isGroup(`${new GroupSets(paths, 'AllowedCPUs').mount}${path}`);

  /** Systemd drops the controller when no unit needs it any more; then the group has what the root has. */
  const isOpen = (path: string, set: IndexSet): boolean =>
    askedAt(path) === undefined && isSubset(KINDS.AllowedCPUs.online(paths), set);

  const narrow = async (path: string, set: IndexSet): Promise<void> => {
    if (!isThere(path) || isOpen(path, set)) return;
    put(path, set);
    const free = await settled(
      () => outside(tasksBelow(paths, path, 'AllowedCPUs'), set),
      (tasks) => tasks.length === 0,
    );
    const effective = new GroupSets(paths, 'AllowedCPUs').effective(path);
    if (!isSubset(effective, set)) throw notHeld(path, set, `the group has ${printIndexSet(effective)}`);
    if (free.length > 0) throw notHeld(path, set, `tasks may run elsewhere: ${taskList(free)}`);
  };

  const widen = async (path: string, all: IndexSet, left: IndexSet): Promise<void> => {
    if (!isThere(path) || isOpen(path, all)) return;
    put(path, all);
    const online = KINDS.AllowedCPUs.online(paths);
    const look = () =>
      narrowed(tasksBelow(paths, path, 'AllowedCPUs'), left, new GroupSets(paths, 'AllowedCPUs'), online);
    if (look().length === 0) return;
    const other = differing(all, online);
    put(path, other);
    const follow = new Set(
      tasksBelow(paths, path, 'AllowedCPUs')
        .filter(({ allowed }) => equalSets(intersection(allowed, online), intersection(other, online)))
        .map(({ tid }) => tid),
    );
    put(path, all);
    const stay = await settled(
      () => look().filter(({ tid }) => follow.has(tid)),
      (tasks) => tasks.length === 0,
    );
    if (stay.length > 0) throw notHeld(path, all, `tasks stay on ${printIndexSet(left)}: ${taskList(stay)}`);
  };

  return {
    async assertAsPlanned(parameters) {
      const { path, before, all } = read(parameters);
      const asked = askedAt(path) ?? [];
      // All, as an undo leaves it, is the same as nothing, which is what there is once systemd drops the controller.
      const isOpenSet = (set: IndexSet): boolean => set.length === 0 || equalSets(set, all);
      if (!isThere(path) || equalSets(asked, before) || [asked, before].every(isOpenSet)) return;
      throw new SlicectlError('E_CHANGED', `${path} asks for CPUs ${printIndexSet(asked)} now; nothing was written`, {
        hint: 'make the plan again',
        data: { path },
      });
    },
    facts: async () => ({}),
    async carryOut(parameters) {
      const { path, before, after, all, make } = read(parameters);
      if (make) ensureGroup(`${new GroupSets(paths, 'AllowedCPUs').mount}${path}`, path);
      if (after.length > 0) await narrow(path, after);
      else await widen(path, all, before);
      return undefined;
    },
    async takeBack(parameters) {
      const { path, before, after, all } = read(parameters);
      const asked = askedAt(path) ?? [];
      if (isThere(path) && !isOurs(asked, [before, after, all], KINDS.AllowedCPUs.online(paths))) {
        throw new SlicectlError(
          'E_CHANGED',
          `${path} was given CPUs ${printIndexSet(asked)} meanwhile, and keeps them`,
        );
      }
      if (before.length > 0) await narrow(path, before);
      else await widen(path, all, after);
    },
  };
}

/** Whoever uses it may make it at the same time. */
function ensureGroup(folder: string, path: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return;
    if (errno === undefined) throw error;
    throw new SlicectlError('E_NOT_IN_FORCE', `the group ${path} could not be made: ${errno}`, { cause: error });
  }
}

function notHeld(path: string, set: IndexSet, why: string): SlicectlError {
  return new SlicectlError(
    'E_NOT_IN_FORCE',
    `the kernel does not hold CPUs ${printIndexSet(set)} for ${path}: ${why}`,
    {
      data: { path },
    },
  );
}

function read(parameters: Parameters) {
  const { path, before, after, all, make = false } = parameters as unknown as GroupParameters;
  // A journal is only root's, and yet no reason to write anywhere else.
  if (!/^\/[^/]+$/.test(path) || path === '/..' || path === '/.')
    throw badInput(`${quote(path)} is no top-level group`);
  const set = (text: string): IndexSet => parseIndexSet(text, path);
  return { path, before: set(before), after: set(after), all: set(all), make };
}
