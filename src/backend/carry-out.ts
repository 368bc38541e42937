import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, SlicectlError } from '../core/errors.ts';
import { groupFolder, readMembership } from '../host/cgroups.ts';
import { makeGroup, pidsIn, removeGroup, writeControl } from '../host/control-writes.ts';
import type { HostPaths } from '../host/paths.ts';
import type { Step } from './backend.ts';
import { attempt, refused } from './refusal.ts';
import type { Root } from './tree.ts';

/** The word for the job's process in a move; any other `what` is the folder whose processes move. */
export const THE_JOB = 'the job';

/** Rounds in which a group that keeps forking is emptied. */
const MOVE_ROUNDS = 1000;
/** How often placing starts anew because another slicectl removed the empty slice folder in between. */
const PLACE_ROUNDS = 20;

export interface Job {
  readonly paths: HostPaths;
  readonly roots: readonly Root[];
  readonly pid: number;
  /** The job's own folders: each must be fresh. */
  readonly fresh: ReadonlySet<string>;
  /** Takes the empty leftover of a dead maker away; true where the folder can be made now. */
  readonly clear: (folder: string) => boolean;
}

/** What a run of steps left behind, for undoing it: folders outermost first, and the way back of the process. */
interface Traces {
  readonly made: string[];
  readonly back: (() => void)[];
}

/**
 * Does the steps as they stand. Whatever fails, these folders go again and the process
 * goes back where it was. Controllers that were enabled and processes that moved to a leaf stay: others may count on
 * them by now.
 */
export function carryOut(steps: readonly Step[], job: Job): void {
  for (let round = 1; ; round += 1) {
    const traces: Traces = { made: [], back: [] };
    try {
      for (const step of steps) take(step, job, traces);
      return;
    } catch (error) {
      undo(traces);
      if (round === PLACE_ROUNDS || !lostItsFolder(error)) throw error;
    }
  }
}

/**
 * Whether a step failed since its folder, or the one above it, was removed (ENOENT, or ENODEV of a group that is going):
 * by now it may be there again. A control file that the kernel does not have stays away.
 */
function lostItsFolder(error: unknown): boolean {
  if (!(error instanceof SlicectlError)) return false;
  const { errno, path, value } = error.data;
  if ((errno !== 'ENOENT' && errno !== 'ENODEV') || typeof path !== 'string') return false;
  return value === undefined || !existsSync(dirname(path)) || (errno === 'ENOENT' && existsSync(path));
}

function take(step: Step, job: Job, traces: Traces): void {
  // Calls are systemd's; a plan of plain cgroups has none.
  if (step.do === 'call') return;
  const { path } = step;
  if (step.do === 'make') make(path, job, traces);
  if (step.do === 'write') attempt({ what: 'write', path, value: step.text }, () => writeControl(path, step.text));
  if (step.do === 'move' && step.what === THE_JOB) moveJob(path, job, traces);
  if (step.do === 'move' && step.what !== THE_JOB) moveAll(step.what, path);
}

function make(path: string, job: Job, { made }: Traces): void {
  const shared = ![...job.fresh].some((folder) => path === folder || path.startsWith(`${folder}/`));
  const isNew = attempt(
    { what: 'make', path },
    () => makeGroup(path, shared) || (job.clear(path) && makeGroup(path, shared)),
  );
  if (isNew) made.push(path);
  else if (job.fresh.has(path)) {
    throw new SlicectlError('E_UNIT_EXISTS', `the group ${path} exists already`, {
      hint: 'choose another unit name, or leave it out',
      data: { path },
    });
  }
}

function moveJob(path: string, { paths, roots, pid }: Job, { back }: Traces): void {
  const root = roots.find(({ hierarchy }) => path.startsWith(`${hierarchy.mount}/`));
  const before = readMembership(paths, pid);
  const group = root && (before?.v1.get(root.controllers[0] ?? 'pids') ?? before?.v2);
  enter(path, pid);
  if (root && group !== undefined) back.push(() => enter(groupFolder(root.hierarchy, group), pid));
}

function enter(folder: string, pid: number): void {
  const path = `${folder}/cgroup.procs`;
  attempt({ what: 'move', path, value: `${pid}` }, () => writeControl(path, `${pid}`));
}

/** Moves every process of a group, again until no new one turned up meanwhile. */
function moveAll(from: string, to: string): void {
  for (let round = 0; round < MOVE_ROUNDS; round += 1) {
    const pids = pidsIn(from);
    if (pids.length === 0) return;
    if (pids.includes(0)) {
      throw new SlicectlError('E_CGROUP', `${from} holds a process of another pid namespace, which cannot be moved`, {
        hint: 'start slicectl from a group of its own',
        data: { path: from },
      });
    }
    for (const pid of pids) moveUnlessGone(to, pid);
  }
  throw new SlicectlError('E_CGROUP', `${from} does not become empty: its processes fork faster than they are moved`, {
    data: { path: from },
  });
}

function moveUnlessGone(folder: string, pid: number): void {
  const path = `${folder}/cgroup.procs`;
  try {
    writeControl(path, `${pid}`);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw refused(error, { what: 'move', path, value: `${pid}` });
  }
}

/** The first failure is the one to tell; a trace that cannot be removed now is swept later. */
function undo({ made, back }: Traces): void {
  for (const step of [...back, ...made.toReversed().map((path) => () => removeGroup(path))]) {
    try {
      step();
    } catch (error) {
      if (!(error instanceof SlicectlError) && errnoOf(error) === undefined) throw error;
    }
  }
}
