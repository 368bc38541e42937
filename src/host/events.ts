import { type FSWatcher, watch } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import { readIfThere } from './files.ts';

/** `populated` of cgroup.events (cgroup-v2.rst): whether a live process is in the group or below it; undefined when it is gone. */
export function isPopulated(folder: string): boolean | undefined {
  const content = readIfThere(`${folder}/cgroup.events`);
  return content === undefined ? undefined : /^populated 1$/m.test(content);
}

/** How often a file is looked at when the kernel cannot tell of its changes. */
const LOOK_MS = 100;

/**
 * Calls back on each change of a control file that notifies (cgroup.events, memory.events, pids.events), and once at the
 * start. The kernel reports such changes as inotify modifications; there is nothing to poll, unless the user's inotify
 * instances or watches are used up (EMFILE, ENOSPC of inotify(7)). `persistent` keeps this process alive meanwhile.
 */
export function watchControl(path: string, onChange: () => void, persistent = false): () => void {
  let watcher: FSWatcher;
  try {
    watcher = watch(path, { persistent }, onChange);
  } catch (error) {
    onChange();
    // No such file: the group is gone or the kernel does not offer it; the caller's first look tells which.
    if (errnoOf(error) === 'ENOENT') return () => undefined;
    const timer = setInterval(onChange, LOOK_MS);
    if (!persistent) timer.unref();
    return () => clearInterval(timer);
  }
  watcher.on('error', onChange);
  onChange();
  return () => watcher.close();
}

/** Resolves when `isTrue` holds, looked at now and at each change of the control file. */
export function untilControl(path: string, isTrue: () => boolean, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let stop: (() => void) | undefined;
    let isOver = false;
    const end = (how: () => void): void => {
      if (isOver) return;
      isOver = true;
      stop?.();
      signal?.removeEventListener('abort', onAbort);
      how();
    };
    const onAbort = (): void => end(() => reject(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) return onAbort();
    stop = watchControl(path, () => isTrue() && end(resolve), true);
    if (isOver) stop();
  });
}
