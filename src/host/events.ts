import { type FSWatcher, watch } from 'node:fs';
import { readIfThere } from './files.ts';

/** `populated` of cgroup.events (cgroup-v2.rst): whether a live process is in the group or below it; undefined when it is gone. */
export function isPopulated(folder: string): boolean | undefined {
  const content = readIfThere(`${folder}/cgroup.events`);
  return content === undefined ? undefined : /^populated 1$/m.test(content);
}

/**
 * Calls back on each change of a control file that notifies (cgroup.events, memory.events, pids.events), and once at the
 * start. The kernel reports such changes as inotify modifications; there is nothing to poll.
 */
export function watchControl(path: string, onChange: () => void): () => void {
  let watcher: FSWatcher;
  try {
    watcher = watch(path, { persistent: false }, onChange);
  } catch {
    // No such file: the group is gone or the kernel does not offer it; the caller's first look tells which.
    onChange();
    return () => undefined;
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
    stop = watchControl(path, () => isTrue() && end(resolve));
    if (isOver) stop();
  });
}
