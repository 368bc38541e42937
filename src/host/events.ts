import { type FSWatcher, watch } from 'node:fs';
import { readIfThere } from './files.ts';

/** `populated` of cgroup.events (cgroup-v2.rst): whether a live process is in the group or below it; undefined when it is gone. */
export function isPopulated(folder: string): boolean | undefined {
  const content = readIfThere(`${folder}/cgroup.events`);
  return content === undefined ? undefined : /^populated 1$/m.test(content);
}

/** A change that the kernel has kept back (see below) is out after 10 ms, or lost. */
const FIRST_LOOK_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Resolves when `isTrue` holds, looked at now and at each change of a control file that notifies (cgroup.events,
 * memory.events, pids.events). Rejects with what `isTrue` throws or with the signal's reason.
 *
 * The kernel reports changes as inotify modifications, but not all of them: within 10 ms of the last report it puts the
 * next one off, and drops it when the group is removed meanwhile (`cgroup_file_notify`, `cgroup_rm_file` in
 * kernel/cgroup/cgroup.c); neither is a removal reported. A job that is killed right after its start ends like that. And
 * the user's inotify instances or watches can be used up (EMFILE, ENOSPC of inotify(7)). So it is looked at after a
 * while too, soon after each report, then more and more rarely.
 */
export function untilControl(path: string, isTrue: () => boolean, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let watcher: FSWatcher | undefined;
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const end = (how: () => void): void => {
      isOver = true;
      clearTimeout(timer);
      watcher?.close();
      signal?.removeEventListener('abort', onAbort);
      how();
    };
    const onAbort = (): void => end(() => reject(signal?.reason));
    const look = (nextPause: number): void => {
      if (isOver) return;
      clearTimeout(timer);
      try {
        if (isTrue()) end(resolve);
        else timer = setTimeout(() => look(Math.min(nextPause * 2, LONGEST_PAUSE_MS)), nextPause);
      } catch (error) {
        end(() => reject(error));
      }
    };
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const onChange = (): void => look(FIRST_LOOK_MS);
    try {
      watcher = watch(path, onChange).on('error', onChange);
    } catch {
      // The group is gone, the kernel does not offer the file, or inotify is used up: looking tells which.
    }
    onChange();
  });
}
