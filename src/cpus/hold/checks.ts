import type { CheckResult, CheckTable } from '../../change/plan.ts';
import { intersection, parseIndexSet, printIndexSet } from '../../core/cpuset.ts';
import { readSelf, type Self } from '../../host/self.ts';
import { readTasks, type Task } from '../../host/tasks.ts';
import { jobRefusals, jobsOf } from '../lease/jobs.ts';
import { machineLeases, withLeases } from '../lease/store.ts';
import type { HoldHost } from './host.ts';
import { canRun, isBelow, narrowed, type TaskSet, taskList } from './masks.ts';
import { GroupSets, KINDS } from './sets.ts';
import { settled } from './settle.ts';

/** `cpus.held`, `cpus.wide` and `cpus.unleased`. */
export function cpuChecks({ paths }: Pick<HoldHost, 'paths'>, { uid }: Pick<Self, 'uid'> = readSelf()): CheckTable {
  return {
    async 'cpus.held'({ payload = '', except = '' }): Promise<CheckResult> {
      const cpus = parseIndexSet(payload, 'payload');
      const names = except.split(/\s+/).filter((name) => name !== '');
      const free = await settled(
        () =>
          userTasks(readTasks(paths)).filter(
            ({ allowed, cgroup }) => intersection(allowed, cpus).length > 0 && !isExcepted(cgroup, names),
          ),
        (tasks) => tasks.length === 0,
      );
      if (free.length === 0) return { ok: true, found: `no other task may run on CPUs ${printIndexSet(cpus)}` };
      return { ok: false, found: `tasks may still run on CPUs ${printIndexSet(cpus)}: ${byGroup(free)}` };
    },
    async 'cpus.wide'({ cpus = '' }): Promise<CheckResult> {
      const left = parseIndexSet(cpus, 'cpus');
      const online = KINDS.AllowedCPUs.online(paths);
      const tasks = await settled(
        () => {
          const groups = new GroupSets(paths, 'AllowedCPUs');
          const narrow = narrowed(userTasks(readTasks(paths)), left, groups, online);
          return narrow.filter(({ allowed }) => printIndexSet(intersection(left, online)) === printIndexSet(allowed));
        },
        (found) => found.length === 0,
      );
      if (tasks.length === 0) return { ok: true, found: `no task was left on CPUs ${printIndexSet(left)} alone` };
      return { ok: false, found: `tasks were left on CPUs ${printIndexSet(left)} alone: ${byGroup(tasks)}` };
    },
    async 'cpus.unleased'({ cpus = '', within = '' }): Promise<CheckResult> {
      const wanted = { name: within, cpus: parseIndexSet(cpus, 'cpus') };
      const [refusal] = await withLeases(machineLeases(uid, paths), 'look at leases', (list) =>
        jobRefusals(wanted, jobsOf(list)),
      );
      if (refusal === undefined) return { ok: true, found: `no job elsewhere has some of CPUs ${cpus} for itself` };
      return { ok: false, found: [refusal.reason, refusal.hint].filter(Boolean).join(': ') };
    },
  };
}

function userTasks(tasks: readonly Task[]): readonly TaskSet[] {
  return tasks.flatMap((task) => {
    const { tid, pid, name, allowed, cgroup } = task;
    return canRun(task) && cgroup !== undefined ? [{ tid, pid, name, allowed, cgroup }] : [];
  });
}

function isExcepted(cgroup: string, names: readonly string[]): boolean {
  const parts = cgroup.split('/').map((part) => part.replace(/^_/, ''));
  return names.some((name) => (name.startsWith('/') ? isBelow(cgroup, name) : parts.includes(name)));
}

const SHOWN_GROUPS = 5;

function byGroup(tasks: readonly TaskSet[]): string {
  const groups = new Map<string, TaskSet[]>();
  for (const task of tasks) groups.set(task.cgroup, [...(groups.get(task.cgroup) ?? []), task]);
  const shown = [...groups].slice(0, SHOWN_GROUPS).map(([cgroup, own]) => `${cgroup}: ${taskList(own)}`);
  return groups.size > SHOWN_GROUPS
    ? `${shown.join('; ')}; and ${groups.size - SHOWN_GROUPS} groups more`
    : shown.join('; ');
}
