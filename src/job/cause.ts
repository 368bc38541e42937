import { constants } from 'node:os';
import type { Ending } from '../backend/backend.ts';
import { printLimit } from '../core/limits.ts';
import type { Limits } from '../core/properties/row.ts';
import { type Counters, risen } from './counters.ts';
import type { Exit } from './gate.ts';

/** Something that a limit did to the job. */
export interface LimitEvent {
  readonly kind: 'memory' | 'memory-above' | 'memory-machine' | 'tasks' | 'tasks-above' | 'runtime' | 'aborted';
  readonly text: string;
  /** Processes killed or forks refused. */
  readonly count: number;
  /** The group whose limit it was, where it is not the job's own. */
  readonly cgroup: string | null;
}

export interface Verdict {
  /** As a shell would see it: the exit status, or 128 + N for signal N. */
  readonly status: number;
  readonly cause: string;
  readonly events: readonly LimitEvent[];
}

export interface Circumstances {
  readonly exit: Exit;
  readonly ending: Ending;
  readonly limits: Limits;
  readonly jobGroup: string;
  readonly before: Counters;
  readonly after: Counters;
  readonly wasAborted: boolean;
}

/** Why the job ended, in words. A kill is blamed on the group whose own limit counted up meanwhile. */
export function verdict(facts: Circumstances): Verdict {
  const { exit, limits } = facts;
  const status = exit.signal === null ? (exit.code ?? 0) : 128 + constants.signals[exit.signal];
  const memory = memoryEvent(facts);
  const tasks = tasksEvent(facts);
  const runtime: LimitEvent | undefined =
    facts.ending === 'timeout'
      ? {
          kind: 'runtime',
          text: `ended by ${printLimit('RuntimeMaxSec', limits.RuntimeMaxSec ?? 'infinity')}`,
          count: 1,
          cgroup: null,
        }
      : undefined;
  const aborted: LimitEvent | undefined = facts.wasAborted
    ? { kind: 'aborted', text: 'killed: the caller aborted it', count: 1, cgroup: null }
    : undefined;
  const events = [aborted, runtime, memory, tasks].filter((event) => event !== undefined);
  const wasKilled = exit.signal === 'SIGKILL' || status >= 128 || (limits.OOMPolicy === 'stop' && exit.signal !== null);
  const cause =
    aborted?.text ??
    runtime?.text ??
    (memory && wasKilled ? memory.text : undefined) ??
    (tasks && status !== 0 ? `exited with status ${status}; ${tasks.text}` : plain(exit, status));
  return { status, cause, events };
}

function plain(exit: Exit, status: number): string {
  if (exit.signal === null) return `exited with status ${status}`;
  return `killed by ${exit.signal} (${constants.signals[exit.signal]}), which came from outside of slicectl`;
}

function memoryEvent({ limits, jobGroup, before, after }: Circumstances): LimitEvent | undefined {
  const kills = Number(after.oomKills - before.oomKills);
  if (kills === 0) return undefined;
  const victims = kills === 1 ? '1 process killed' : `${kills} processes killed`;
  const holder = risen(before.memoryLimitHits, after.memoryLimitHits);
  if (!holder) {
    return {
      kind: 'memory-machine',
      text: `killed: the machine ran out of memory (${victims})`,
      count: kills,
      cgroup: null,
    };
  }
  if (holder.group === jobGroup) {
    const name = limits.MemoryMax === undefined ? 'the memory limit' : printLimit('MemoryMax', limits.MemoryMax);
    return { kind: 'memory', text: `killed: ${name} of the job was reached (${victims})`, count: kills, cgroup: null };
  }
  return {
    kind: 'memory-above',
    text: `killed: the memory limit of ${nameOf(holder.group)} was reached (${victims})`,
    count: kills,
    cgroup: holder.group,
  };
}

function tasksEvent({ limits, jobGroup, before, after }: Circumstances): LimitEvent | undefined {
  const holder = risen(before.taskLimitHits, after.taskLimitHits);
  if (!holder) return undefined;
  const times = holder.by === 1n ? 'once' : `${holder.by} times`;
  if (holder.group === jobGroup) {
    const name = limits.TasksMax === undefined ? 'a limit of tasks' : printLimit('TasksMax', limits.TasksMax);
    return { kind: 'tasks', text: `fork refused ${times} by ${name}`, count: Number(holder.by), cgroup: null };
  }
  return {
    kind: 'tasks-above',
    text: `fork refused ${times} by TasksMax of ${nameOf(holder.group)}`,
    count: Number(holder.by),
    cgroup: holder.group,
  };
}

/** `slice build.slice`, `unit a.service`, or the group's path. */
function nameOf(group: string): string {
  const last = group.slice(group.lastIndexOf('/') + 1);
  if (last.endsWith('.slice')) return `slice ${last}`;
  return /\.(service|scope)$/.test(last) ? `unit ${last}` : `the group ${group}`;
}
