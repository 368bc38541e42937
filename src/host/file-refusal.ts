import { errnoOf, quote, SlicectlError } from '../core/errors.ts';

/** Why a file or folder could not be written, in one sentence with the way out. Errors of slicectl itself pass through. */
export function writeRefusal(error: unknown, path: string, uid: number): SlicectlError {
  if (error instanceof SlicectlError) return error;
  const errno = errnoOf(error);
  const [what, hint] = EXPLAINED[errno ?? '']?.(path, uid) ?? [`cannot be written (${errno ?? String(error)})`, ''];
  const isPrivilege = uid !== 0 && (errno === 'EACCES' || errno === 'EPERM');
  return new SlicectlError(isPrivilege ? 'E_PRIVILEGE' : 'E_FILE', `${quote(path)} ${what}`, {
    ...(hint !== '' && { hint }),
    data: { path, ...(errno !== undefined && { errno }) },
    cause: error,
  });
}

type Words = (path: string, uid: number) => readonly [what: string, hint: string];

const NO_SPACE: Words = () => ['cannot be written: there is no space left', 'make room (df shows how full it is)'];
const IN_THE_WAY: Words = () => [
  'cannot be written: something else lies in its place',
  'see what it is, and move it away',
];
const TURNED: Words = () => [
  'cannot be reached without following a link: a folder on its way was replaced meanwhile',
  'look who may write there',
];

// open(2), rename(2), link(2); for EPERM chattr(1): an immutable file, or an immutable folder, refuses even root.
const EXPLAINED: Readonly<Record<string, Words>> = {
  EROFS: () => [
    'lies on a read-only file system',
    'mount it writable, or change the image that it comes from; findmnt -T shows which it is',
  ],
  EPERM: (path, uid) =>
    uid === 0
      ? ['is immutable, or lies in a folder that is', `see lsattr ${path} and take the mark away with chattr -i`]
      : ['may not be changed by this user', 'run it as root'],
  EACCES: (_, uid) =>
    uid === 0
      ? ['may not be written even by root: a security module or a network file system forbids it', 'see the audit log']
      : ['may not be written by this user', 'run it as root'],
  EBUSY: () => ['is a mount point of its own', 'change it where it is mounted from'],
  ENOSPC: NO_SPACE,
  EDQUOT: NO_SPACE,
  ELOOP: TURNED,
  ENOTDIR: TURNED,
  ENOENT: () => ['cannot be written: a folder above it is not there', 'see what became of that folder'],
  EISDIR: IN_THE_WAY,
  EEXIST: IN_THE_WAY,
  ENAMETOOLONG: () => ['has a name that leaves no room for a temporary one beside it', 'give it a shorter name'],
};
