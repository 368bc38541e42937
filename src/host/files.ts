import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { errnoOf, quote, SlicectlError } from '../core/errors.ts';

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

/**
 * The content of a regular file, or undefined where there is none. Does not follow a link in its place, and does not wait
 * for the writer of a pipe: `E_FILE` for what is no file or cannot be read.
 */
export function readRegularFile(path: string): Buffer | undefined {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  let fd = -1;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fstatSync(fd).isFile()) return readFileSync(fd);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    if (errno !== 'ELOOP') {
      throw new SlicectlError('E_FILE', `${quote(path)} cannot be read (${errno ?? String(error)})`, { cause: error });
    }
  } finally {
    if (fd !== -1) closeSync(fd);
  }
  throw new SlicectlError('E_FILE', `${quote(path)} is not a regular file`, { data: { path } });
}
