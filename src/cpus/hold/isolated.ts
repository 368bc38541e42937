import type { Action, Parameters } from '../../change/plan.ts';
import { equalSets, type IndexSet, intersection, parseIndexSet, printIndexSet, without } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readCpus } from '../../host/machine.ts';
import { readTasks, type Task } from '../../host/tasks.ts';
import { setAffinity } from './affinity.ts';
import type { HoldHost } from './host.ts';
import { canRun, isBelow } from './masks.ts';
import type { IsolatedParameters } from './parameters.ts';

/** Tasks start others meanwhile: those of a task that was not looked at yet come to light in the next round. */
const ROUNDS = 6;

/** One call for a process whose threads all get the same. */
const ALL = { allThreads: true };

/**
 * `cpus.isolated`: PID 1 begins without the CPUs of `isolcpus=`, and everybody inherits that. A cpuset knows nothing of it:
 * whoever is in one, or comes out of one when systemd gives the controller up, may run on all CPUs (cpuset_attach in
 * kernel/cgroup/cpuset.c). An affinity of their own is what tasks keep then (Linux 6.2), and what they hand on.
 */
export function isolatedAction({ paths }: Pick<HoldHost, 'paths'>, give = setAffinity): Action {
  const keepOff = async (parameters: Parameters): Promise<void> => {
    const { isolated, except } = read(parameters);
    const { online } = readCpus(paths);
    const rest = without(online, isolated);
    if (rest.length === online.length) return;
    // Whoever was pinned has fewer, since no cpuset is narrower any more.
    const isWide = ({ allowed }: Task): boolean => equalSets(intersection(allowed, online), online);
    const look = (): readonly Task[] =>
      readTasks(paths).filter((task) => canRun(task) && !except.some((group) => isBelow(task.cgroup ?? '/', group)));
    for (let round = 0; round < ROUNDS; round += 1) {
      const tasks = look();
      const wide = new Set(tasks.filter(isWide).map(({ pid }) => pid));
      if (wide.size === 0) return;
      for (const pid of wide) await tell(tasks.filter((task) => task.pid === pid));
    }
    const stay = look().filter(isWide);
    if (stay.length > 0) throw notKeptOff(stay, isolated);

    async function tell(threads: readonly Task[]): Promise<void> {
      const wide = threads.filter(isWide);
      const [first] = wide;
      if (first !== undefined && wide.length === threads.length && (await give(first.tid, rest, ALL))) return;
      for (const { tid } of wide) await give(tid, rest);
    }
  };
  return {
    assertAsPlanned: async () => undefined,
    facts: async () => ({}),
    async carryOut(parameters) {
      if (read(parameters).when === 'forward') await keepOff(parameters);
      return undefined;
    },
    async takeBack(parameters) {
      if (read(parameters).when === 'back') await keepOff(parameters);
    },
  };
}

function notKeptOff(tasks: readonly Task[], isolated: IndexSet): SlicectlError {
  const names = tasks.map(({ name, tid }) => `${name} (${tid})`);
  return new SlicectlError(
    'E_NOT_IN_FORCE',
    `tasks may still run on CPUs ${printIndexSet(isolated)} of isolcpus=: ${names.slice(0, 4).join(', ')}`,
  );
}

function read(parameters: Parameters) {
  const { isolated, when, except } = parameters as unknown as IsolatedParameters;
  return { isolated: parseIndexSet(isolated, 'isolated'), when, except };
}
