import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Action, Parameters } from '../../change/plan.ts';
import { equalSets, type IndexSet, intersection, isSubset, parseIndexSet, printIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readTasks, type Task } from '../../host/tasks.ts';
import type { HoldHost } from './host.ts';
import type { ThreadsParameters } from './parameters.ts';

/** A kernel thread that had another mask than the others, such as the one that frees the memory of a node. */
interface Known {
  readonly tid: number;
  readonly name: string;
  readonly allowed: string;
}

/**
 * `cpus.threads`: keeps kernel threads that can be moved where they may be: those that have the set of before get the one
 * of after, which may be wider, and others stay within what they had.
 */
export function threadsAction({ paths }: HoldHost): Action {
  const movable = (): readonly Task[] =>
    readTasks(paths).filter(({ kind, state }) => kind === 'movable' && state !== 'Z');
  return {
    assertAsPlanned: async () => undefined,
    async facts(parameters) {
      const { before } = read(parameters);
      const known = movable()
        .filter(({ allowed }) => !equalSets(allowed, before))
        .map(({ tid, name, allowed }): Known => ({ tid, name, allowed: printIndexSet(allowed) }));
      return { known };
    },
    async carryOut(parameters) {
      const sets = read(parameters);
      const { after } = sets;
      const isOut = ({ allowed }: Task): boolean => !equalSets(goalOf(allowed, sets), allowed);
      for (const task of movable()) if (isOut(task)) await move(task.tid, goalOf(task.allowed, sets));
      const left = movable().filter(isOut);
      if (left.length === 0) return undefined;
      const names = left.map(({ name, tid }) => `${name} (${tid})`).join(', ');
      throw new SlicectlError(
        'E_NOT_IN_FORCE',
        `kernel threads are not where they should be, on CPUs ${printIndexSet(after)}: ${names}`,
      );
    },
    async takeBack(parameters, facts) {
      const sets = read(parameters);
      const known = new Map((facts as unknown as { known: readonly Known[] }).known.map((one) => [one.tid, one]));
      for (const { tid, name, allowed } of movable()) {
        const one = known.get(tid);
        const was = one?.name === name ? parseIndexSet(one.allowed, name) : sets.before;
        // Whoever has another mask by now was moved by somebody else.
        if (equalSets(allowed, goalOf(was, sets)) && !equalSets(allowed, was)) await move(tid, was);
      }
    },
  };
}

interface Sets {
  readonly before: IndexSet;
  readonly after: IndexSet;
}

function goalOf(allowed: IndexSet, { before, after }: Sets): IndexSet {
  if (equalSets(allowed, before)) return after;
  if (isSubset(allowed, after)) return allowed;
  const rest = intersection(allowed, after);
  return rest.length === 0 ? after : rest;
}

/** A thread that refuses or has ended shows in the look afterwards. */
async function move(tid: number, set: IndexSet): Promise<void> {
  try {
    await promisify(execFile)('taskset', ['--pid', '--cpu-list', printIndexSet(set), String(tid)]);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    if (error.code !== 'ENOENT') return;
    throw new SlicectlError('E_NOT_IN_FORCE', 'kernel threads are moved by taskset(1), which is not here', {
      hint: 'install util-linux',
      cause: error,
    });
  }
}

function read(parameters: Parameters): Sets {
  const { before, after } = parameters as unknown as ThreadsParameters;
  return { before: parseIndexSet(before, 'before'), after: parseIndexSet(after, 'after') };
}
