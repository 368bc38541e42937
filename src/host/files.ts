import { readFileSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';

/**
 * The content of a small file of a kernel file system, or undefined where there is none. A control file can vanish with
 * its group between open and read, which the kernel reports as ENODEV.
 */
export function readIfThere(path: string): string | undefined {
  return readBytesIfThere(path)?.toString('utf8');
}

/** As {@link readIfThere}, for files that are not text. */
export function readBytesIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    // EOPNOTSUPP, which Node calls ENOTSUP: a file that this group or this kernel does not offer, such as cpu.pressure
    // with psi=0 or cgroup.procs of a threaded group.
    if (['ENOENT', 'ENODEV', 'ENOTDIR', 'ESRCH', 'ENOTSUP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
