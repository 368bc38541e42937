import { lines, readAmount } from '../core/properties/forms.ts';
import type { Controller } from '../core/properties/row.ts';
import type { ControlFiles } from '../host/control-files.ts';

/** Event counts that tell whose limit was reached. */
export interface Counters {
  /** Processes that the kernel killed in the job for memory. */
  readonly oomKills: bigint;
  /** Groups, the job's first and then those above, with how often each one's own memory limit led to a kill. */
  readonly memoryLimitHits: ReadonlyMap<string, bigint>;
  /** Groups as above, with how often each one's own TasksMax refused a fork. */
  readonly taskLimitHits: ReadonlyMap<string, bigint>;
}

/**
 * v2: memory.events.local counts `oom` in the group whose limit was reached, memory.events counts `oom_kill` where the
 * victim was and above (cgroup-v2.rst, since 5.2). v1: the failcnt of the limit that was reached counts, oom_control's
 * oom_kill in the victim's group, which is the job's.
 */
export function readCounters(files: ControlFiles): Counters {
  const isV2 = files.version === 2;
  return {
    oomKills: keyed(files, 'memory', isV2 ? 'memory.events' : 'memory.oom_control', 'oom_kill') ?? 0n,
    memoryLimitHits: upward(files, 'memory', (group) =>
      isV2 ? keyed(group, 'memory', 'memory.events.local', 'oom') : failures(group),
    ),
    taskLimitHits: upward(files, 'pids', (group) => keyed(group, 'pids', tasksFile(group), 'max')),
  };
}

/** From Linux 6.12 on pids.events counts at the limit that was reached, with all below it, and pids.events.local without. */
function tasksFile(group: ControlFiles): string {
  return group.read('pids', 'pids.events.local') === undefined ? 'pids.events' : 'pids.events.local';
}

function upward(
  files: ControlFiles,
  controller: Controller,
  count: (group: ControlFiles) => bigint | undefined,
): Map<string, bigint> {
  return new Map(
    [files, ...files.ancestors(controller)].flatMap((group) => {
      const value = count(group);
      return value === undefined ? [] : [[group.path, value] as const];
    }),
  );
}

function keyed(files: ControlFiles, controller: Controller, file: string, key: string): bigint | undefined {
  const text = lines(files.read(controller, file) ?? '').find(([name]) => name === key)?.[1];
  return text === undefined ? undefined : BigInt(text);
}

/** One charge of the kernel (MEMCG_CHARGE_BATCH), by which a peak can stay below the limit that refused it. */
const CHARGE = 64n * 4096n;

/**
 * The limit of memory and swap together is charged first, so with MemorySwapMax=0 it is the one that refuses. Its failcnt
 * has not counted since Linux 6.16, so a peak at the limit counts as one refusal.
 */
function failures(files: ControlFiles): bigint | undefined {
  const value = (file: string): bigint | undefined => {
    const found = readAmount(files.read('memory', file));
    return found === 'infinity' ? undefined : found;
  };
  const memory = value('memory.failcnt');
  const limit = value('memory.memsw.limit_in_bytes');
  const peak = value('memory.memsw.max_usage_in_bytes');
  const together =
    limit !== undefined && peak !== undefined && peak + CHARGE >= limit ? 1n : value('memory.memsw.failcnt');
  return memory === undefined ? undefined : memory + (together ?? 0n);
}

/** The nearest group whose count rose, with by how much. */
export function risen(
  before: ReadonlyMap<string, bigint>,
  after: ReadonlyMap<string, bigint>,
): { group: string; by: bigint } | undefined {
  for (const [group, count] of after) {
    const by = count - (before.get(group) ?? 0n);
    if (by > 0n) return { group, by };
  }
  return undefined;
}
