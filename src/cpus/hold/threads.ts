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

/** `cpus.threads`: keeps kernel threads that can be moved where they may be, each within what it had. */
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
      const { after } = read(parameters);
      for (const { tid, allowed } of movable()) {
        if (!isSubset(allowed, after)) await move(tid, within(allowed, after));
      }
      const left = movable().filter(({ allowed }) => !isSubset(allowed, after));
      if (left.length === 0) return undefined;
      const names = left.map(({ name, tid }) => `${name} (${tid})`).join(', ');
      throw new SlicectlError(
        'E_NOT_IN_FORCE',
        `kernel threads may still run outside of ${printIndexSet(after)}: ${names}`,
      );
    },
    async takeBack(parameters, facts) {
      const { before, after } = read(parameters);
      const known = new Map((facts as unknown as { known: readonly Known[] }).known.map((one) => [one.tid, one]));
      for (const { tid, name, allowed } of movable()) {
        const one = known.get(tid);
        const was = one?.name === name ? parseIndexSet(one.allowed, name) : before;
        // Whoever has another mask by now was moved by somebody else.
        if (equalSets(allowed, within(was, after)) && !equalSets(allowed, was)) await move(tid, was);
      }
    },
  };
}

function within(allowed: IndexSet, after: IndexSet): IndexSet {
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

function read(parameters: Parameters) {
  const { before, after } = parameters as unknown as ThreadsParameters;
  return { before: parseIndexSet(before, 'before'), after: parseIndexSet(after, 'after') };
}
