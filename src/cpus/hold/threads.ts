import type { Action, Parameters } from '../../change/plan.ts';
import { equalSets, type IndexSet, isSubset, parseIndexSet, printIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readTasks, type Task } from '../../host/tasks.ts';
import { threadGoal } from '../kernel-goal.ts';
import { setAffinity } from './affinity.ts';
import type { HoldHost } from './host.ts';
import type { ThreadsParameters } from './parameters.ts';

/** A kernel thread that had another mask than the others, such as the one that frees the memory of a node. */
interface Known {
  readonly tid: number;
  readonly name: string;
  readonly allowed: string;
}

/**
 * `cpus.threads`: keeps kernel threads that can be moved where they may be: named ones where it is said, and of others
 * those that have the set of before get the one of after, which may be wider, and the rest stay within what they had.
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
      const refused = new Set<number>();
      for (const task of movable()) {
        const goal = goalOf(task, sets);
        if (!equalSets(goal, task.allowed) && !(await setAffinity(task.tid, goal))) refused.add(task.tid);
      }
      // It takes the CPUs of partitions off what it is told.
      const left = movable().filter((task) => refused.has(task.tid) || !isSubset(task.allowed, goalOf(task, sets)));
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
        if (equalSets(allowed, goalOf({ tid, name, allowed: was }, sets)) && !equalSets(allowed, was))
          await setAffinity(tid, was);
      }
    },
  };
}

interface Sets {
  readonly before: IndexSet;
  readonly after: IndexSet;
  readonly own: ReadonlyMap<number, { readonly name: string; readonly after: IndexSet }>;
}

function goalOf({ tid, name, allowed }: Pick<Task, 'tid' | 'name' | 'allowed'>, sets: Sets): IndexSet {
  const own = sets.own.get(tid);
  return own?.name === name ? own.after : threadGoal(allowed, sets);
}

function read(parameters: Parameters): Sets {
  const { before, after, own } = parameters as unknown as ThreadsParameters;
  return {
    before: parseIndexSet(before, 'before'),
    after: parseIndexSet(after, 'after'),
    own: new Map(own.map((one) => [one.tid, { name: one.name, after: parseIndexSet(one.after, one.name) }])),
  };
}
