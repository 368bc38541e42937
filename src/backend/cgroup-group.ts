import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../core/errors.ts';
import type { AskedLimits } from '../core/limits.ts';
import { readMembership } from '../host/cgroups.ts';
import { removeGroups, removeShared } from '../host/control-writes.ts';
import { isStuck } from '../host/process.ts';
import { sendSignal } from '../host/signals.ts';
import { processesBelow } from '../host/tree.ts';
import type { Ending, Group, SettledLimits } from './backend.ts';
import { changeLimits } from './change-limits.ts';
import type { Deadline } from './deadline.ts';
import type { PlainLimits, SettleContext } from './plain-settle.ts';
import { attempt } from './refusal.ts';
import { folderBelow, namesOf, pathBelow, type Root } from './tree.ts';

/** Signals after which a process is expected to end, which a frozen one cannot. */
const ENDING_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGABRT'];
/** How long every process may take to stand still. */
const FREEZE_MS = 30_000;
/** After this long, processes that are stuck in the kernel no longer hold a kill up. */
const STUCK_MS = 2_000;
/** How long the kernel may take to let a group go whose last process has just ended. */
const REMOVE_MS = 2_000;

export interface PlacedJob extends SettleContext {
  readonly unit: string;
  /** The roots in which the job has a folder. */
  readonly roots: readonly Root[];
  readonly limits: Pick<PlainLimits, 'asked' | 'limits' | 'devices'>;
}

/** A job's group in plain cgroups: the first root's folder says which processes it has. */
export function plainGroup(
  job: PlacedJob,
  deadlineOf: (end: (signal: NodeJS.Signals) => Promise<void>) => Deadline,
): Group {
  const { tree, place, paths, roots, unit } = job;
  const folders = roots.map((root) => folderBelow(root, namesOf(place)));
  const levels = place.slices.map((_, index) => place.slices.slice(0, place.slices.length - index));
  const slices = roots.flatMap((root) => levels.map((names) => folderBelow(root, names)));
  const [folder = ''] = folders;
  const [first] = roots;
  const path = first ? pathBelow(first, namesOf(place)) : '/';
  const deadline = deadlineOf(async (signal) => {
    await kill(signal);
    if (signal === 'SIGTERM') await kill('SIGCONT');
  });
  const files = tree.files(place, roots);
  let held = job.limits;

  async function kill(signal: NodeJS.Signals): Promise<void> {
    if (signal === 'SIGKILL') return killAll(job, folder);
    const refusals = processesBelow(folder).filter((pid) => sendSignal(pid, signal) === 'refused');
    if (ENDING_SIGNALS.includes(signal)) tree.thaw(folder);
    if (refusals.length > 0) throw notAllowed(signal, folder, refusals);
  }

  return {
    kind: tree.kind,
    unit,
    files,
    leaf: files,
    contains: (pid) => {
      const groups = readMembership(paths, pid);
      const at = tree.kind === 'cgroup-v2' ? groups?.v2 : groups?.v1.get(first?.controllers[0] ?? 'pids');
      return at !== undefined && (at === path || at.startsWith(`${path}/`));
    },
    processes: () => processesBelow(folder),
    async set(limits: AskedLimits): Promise<SettledLimits> {
      const changed = changeLimits(job, held, limits);
      held = changed;
      deadline.change(changed.limits);
      return changed;
    },
    async freeze() {
      try {
        await tree.freeze(folder, AbortSignal.timeout(FREEZE_MS));
      } catch (error) {
        if (!(error instanceof Error) || !['AbortError', 'TimeoutError'].includes(error.name)) throw error;
        tree.thaw(folder);
        throw new SlicectlError('E_TIMEOUT', `${unit} did not stand still within ${FREEZE_MS / 1000} s`, {
          cause: error,
        });
      }
    },
    async thaw() {
      tree.thaw(folder);
    },
    kill,
    whenEmpty: (signal) => tree.whenEmpty(folder, signal),
    async ending(): Promise<Ending> {
      deadline.check();
      return deadline.passed ? 'timeout' : 'success';
    },
    async remove() {
      for (let delay = 1, left = REMOVE_MS; ; left -= delay, delay *= 2) {
        if (folders.some((at) => processesBelow(at).length > 0)) return false;
        const gone = folders.map((at) => attempt({ what: 'remove', path: at }, () => removeGroups(at)));
        if (gone.every(Boolean)) break;
        if (left <= 0) return false;
        // The last process is out of cgroup.procs a moment before the kernel is done with it.
        await sleep(delay);
      }
      deadline.cancel();
      // Another job in the slice keeps it (EBUSY), and takes it along when it goes.
      for (const slice of slices) attempt({ what: 'remove', path: slice }, () => removeShared(slice));
      return true;
    },
  };
}

/** Again and again, since a process can fork between the reading of the list and the signal. */
async function killAll({ tree, paths }: PlacedJob, folder: string): Promise<void> {
  const begun = performance.now();
  for (let delay = 1; ; delay = Math.min(delay * 2, 50)) {
    if (processesBelow(folder).length === 0 && !tree.isFrozen(folder)) return;
    const allowed = await tree.strike(folder);
    tree.thaw(folder);
    await sleep(delay);
    const left = processesBelow(folder);
    if (left.length === 0) return;
    if (performance.now() - begun < STUCK_MS) continue;
    if (!allowed) throw notAllowed('SIGKILL', folder, left);
    if (left.every((pid) => isStuck(paths, pid))) return;
  }
}

function notAllowed(signal: NodeJS.Signals, folder: string, pids: readonly number[]): SlicectlError {
  return new SlicectlError(
    'E_PRIVILEGE',
    `the kernel does not let us send ${signal} to ${pids.length} of the processes in ${folder}`,
    {
      hint: 'they run as another user: run as root',
      data: { path: folder, pids },
    },
  );
}
