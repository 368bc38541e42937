import { errnoOf, SlicectlError } from '../core/errors.ts';

/** What was tried on a cgroup tree, for the message. */
export interface Attempt {
  readonly what: 'make' | 'write' | 'move' | 'remove' | 'read';
  readonly path: string;
  readonly value?: string;
}

const MEMORY = /^memory\.(max|limit_in_bytes|memsw\.limit_in_bytes)$/;

/** The errno in words, by file where one number says different things (cgroup-v2.rst and the v1 documents). */
function reason(code: string, { what, path }: Attempt): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  switch (code) {
    case 'EBUSY':
      if (file === 'cgroup.subtree_control')
        return 'the group has processes of its own, or groups below use it (EBUSY)';
      if (MEMORY.test(file)) return 'more memory is in use than the kernel can take back (EBUSY)';
      return 'it is in use (EBUSY)';
    case 'EINVAL':
      if (file.startsWith('cpu.cfs')) return 'out of range, or more than a group above may use (EINVAL)';
      if (file.startsWith('memory.'))
        return 'out of range, or limit and limit with swap contradict each other (EINVAL)';
      return 'not a value that this kernel takes here (EINVAL)';
    case 'ENOSPC':
      return what === 'make' ? 'the kernel has no room for another group (ENOSPC)' : 'its cpuset is empty (ENOSPC)';
    case 'EAGAIN':
      return 'cgroup.max.descendants or cgroup.max.depth of a group above is reached (EAGAIN)';
    // Node's name for EOPNOTSUPP.
    case 'ENOTSUP':
      return 'the group or the one above it is threaded or holds both processes and groups (EOPNOTSUPP)';
    case 'ENODEV':
      return 'no such device or group (ENODEV)';
    case 'ENOENT':
      return 'no such file or group (ENOENT)';
    case 'ERANGE':
      return 'out of range (ERANGE)';
    case 'EACCES':
    case 'EPERM':
      return `not allowed (${code})`;
    case 'EROFS':
      return 'the file system is read-only (EROFS)';
    default:
      return code;
  }
}

export const DELEGATE_HINT =
  'run as root, or inside a delegated group: systemd-run --user --scope -p Delegate=yes slicectl …';
export const CONTAINER_HINT =
  'the container has a read-only /sys/fs/cgroup: start it with --cgroupns=private and a writable mount, or --privileged';

/** The error for a failed operation on a cgroup tree: path, value and reason, with the code that fits the reason. */
export function refused(error: unknown, attempt: Attempt): unknown {
  const code = errnoOf(error);
  if (code === undefined) return error;
  const { what, path, value } = attempt;
  const data = { path, ...(value !== undefined && { value }), errno: code };
  const tried = value === undefined ? `cannot ${what} ${path}` : `cannot ${what} ${JSON.stringify(value)} to ${path}`;
  const message = `${tried}: ${reason(code, attempt)}`;
  if (code === 'EACCES' || code === 'EPERM')
    return new SlicectlError('E_PRIVILEGE', message, { hint: DELEGATE_HINT, data, cause: error });
  if (code === 'EROFS') return new SlicectlError('E_NO_CGROUP', message, { hint: CONTAINER_HINT, data, cause: error });
  if (code === 'ESRCH' && what === 'move')
    return new SlicectlError('E_GATE', `process ${value} ended before it could be placed`, { data, cause: error });
  if (code === 'ENOENT' && what === 'write')
    return new SlicectlError('E_CONTROLLER', `${message}: this kernel does not offer it`, {
      hint: 'leave the limit out, or use --best-effort',
      data,
      cause: error,
    });
  return new SlicectlError('E_CGROUP', message, { data, cause: error });
}

/** Runs one operation on a cgroup tree; its failure becomes the error of {@link refused}. */
export function attempt<T>(what: Attempt, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw refused(error, what);
  }
}
