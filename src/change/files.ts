import { SlicectlError } from '../core/errors.ts';
import type { Disk } from '../host/disk.ts';
import { makeFolders, missingFolders, removeFolders } from '../host/made-folders.ts';
import { type FileContent, forget, type Place, probe, putBack, replaceFile } from '../host/replace-file.ts';
import type { RootTree } from '../host/root-tree.ts';
import { assertSafeLinks } from '../host/safe-links.ts';
import { type Conflict, planIsOld } from './conflict.ts';
import { readState, sameState } from './file-step.ts';
import type { FileState, FileStep, PresentFile, Step } from './plan.ts';
import type { FileFacts } from './progress.ts';

/** Who writes files, and below which root. */
export interface FileHand {
  readonly tree: RootTree;
  readonly uid: number;
  readonly disk: Disk;
}

/** What a file is, seen from a step: `other` is somebody's work. */
export type Standing = 'before' | 'after' | 'other';

/**
 * Judged by content, so that a change of mode since then harms nothing; by mode and owner only where the step changes
 * nothing else.
 */
export function standing(step: FileStep, now: FileState): Standing {
  if (sameState(now, step.before)) return 'before';
  if (sameState(now, step.after)) return 'after';
  if (sameBytes(now, step.after)) return 'after';
  return sameBytes(now, step.before) ? 'before' : 'other';
}

/**
 * Whether all files are as the plan found them and can be written, without a change: `E_CHANGED`, `E_FILE`,
 * `E_PRIVILEGE`. A file that the plan writes twice is looked at once.
 */
export function checkFiles(hand: FileHand, steps: readonly Step[]): void {
  const seen = new Set<string>();
  const firsts = steps.filter((step): step is FileStep & Step => {
    const isFirst = step.kind === 'file' && !seen.has(step.target);
    if (step.kind === 'file') seen.add(step.target);
    return isFirst;
  });
  const conflicts = firsts.flatMap(({ path, target, before }): Conflict[] => {
    const now = readState(hand.tree, path);
    const isSame = hand.tree.follow(path) === target && sameState(now, before);
    return isSame ? [] : [{ path, before, now }];
  });
  if (conflicts.length > 0) throw planIsOld(conflicts);
  for (const { path } of firsts) assertSafeLinks(hand.tree, path, hand.uid);
  probeFiles(hand, firsts);
}

/** Whether files can be written now, without a change: `E_FILE`, `E_PRIVILEGE`. */
export function probeFiles(hand: FileHand, steps: readonly FileStep[]): void {
  for (const { target } of steps) probe(placeOf(hand, target, ''), hand.tree.kind(target) === 'file');
}

/** What has to be known before a file is written. */
export function fileFacts({ tree }: FileHand, { target }: FileStep): FileFacts {
  return { folders: missingFolders(tree, target) };
}

/** Carries a step out, also one that was begun before and may be done. `E_CHANGED` for a file that is somebody's work. */
export function writeFile(hand: FileHand, step: FileStep, tag: string, facts: FileFacts): void {
  const place = placeOf(hand, step.target, tag);
  const now = readState(hand.tree, step.target);
  const is = standing(step, now);
  if (is === 'other') throw planIsOld([{ path: step.path, before: step.before, now }]);
  if (is === 'after') return;
  forget(place);
  makeFolders(hand.tree, facts.folders, hand.uid, hand.disk);
  replaceFile(place, contentOf(step.before), contentOf(step.after));
}

/**
 * Takes a step back, also one that was only begun or is back already. A mode and owner that somebody gave the file since
 * are kept. What is neither before nor after the step stays as it is: {@link conflictsOf} has to have judged it.
 */
export function takeFileBack(hand: FileHand, step: FileStep, tag: string, facts: FileFacts): void {
  const place = placeOf(hand, step.target, tag);
  const now = readState(hand.tree, step.target);
  if (standing(step, now) === 'after') {
    if (step.before.exists) makeFolders(hand.tree, missingFolders(hand.tree, step.target), hand.uid, hand.disk);
    putBack(place, contentOf(withPresentMode(step, now)));
  } else forget(place);
  removeFolders(hand.tree, facts.folders, hand.uid, hand.disk);
}

/**
 * The files that are somebody's work: in none of the states in which these steps, in their order, found or left them. A
 * file that is back already is none.
 */
export function conflictsOf(tree: RootTree, steps: readonly FileStep[]): readonly Conflict[] {
  const byTarget = new Map<string, FileStep[]>();
  for (const step of steps) byTarget.set(step.target, [...(byTarget.get(step.target) ?? []), step]);
  return [...byTarget.values()].flatMap((chain): Conflict[] => {
    const [first, last] = [chain[0], chain.at(-1)];
    if (first === undefined || last === undefined) return [];
    const now = readState(tree, first.target);
    if (chain.some((step) => standing(step, now) !== 'other')) return [];
    return [{ path: first.path, before: first.before, ours: last.after, now }];
  });
}

/** Removes what lies beside a file for the time of the change, and folders that are empty then, where the step says so. */
export function tidyFile(hand: FileHand, { target, folders = [] }: FileStep, tag: string): void {
  try {
    forget(placeOf(hand, target, tag));
    removeFolders(hand.tree, folders, hand.uid, hand.disk);
  } catch (error) {
    // Not worth failing for: a second name of a file, or an empty folder, which nothing reads.
    if (!(error instanceof SlicectlError)) throw error;
  }
}

function placeOf({ tree, uid, disk }: FileHand, target: string, tag: string): Place {
  return { tree, target, tag, uid, disk };
}

function contentOf(state: FileState): FileContent | undefined {
  return state.exists ? state : undefined;
}

function withPresentMode({ before, after }: FileStep, now: FileState): FileState {
  if (!before.exists || !after.exists || !now.exists || sameOwner(now, after)) return before;
  return { ...before, mode: now.mode, uid: now.uid, gid: now.gid };
}

function sameOwner(a: PresentFile, b: PresentFile): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function sameBytes(a: FileState, b: FileState): boolean {
  if (!a.exists || !b.exists) return a.exists === b.exists;
  return Buffer.compare(a.bytes, b.bytes) === 0;
}
