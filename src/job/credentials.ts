import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { badInput, errnoOf, quote, SlicectlError } from '../core/errors.ts';
import type { Self } from '../host/self.ts';

/** Who the job is to be. */
export interface Credentials {
  /** What stands before the command: setpriv(1) with ids and groups. */
  readonly prefix: readonly string[];
  /** What a login would set, as systemd-run does for --uid. */
  readonly env: Readonly<Record<string, string>>;
}

/** The answer of getent(1) for a name or number, split at colons; undefined when there is no such entry. */
function entry(database: 'passwd' | 'group', key: string): readonly string[] | undefined {
  try {
    return execFileSync('getent', [database, '--', key], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .split(':');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw new SlicectlError('E_INPUT', '--uid and --gid need getent, which is not installed', {
        hint: 'install libc-bin',
        cause: error,
      });
    return undefined;
  }
}

/**
 * Changes user and group behind the gate, inside the job's limits, by setpriv(1) of util-linux: supplementary groups as
 * in a login (`--init-groups`), none for a number without a name.
 */
function credentials(uid: string | undefined, gid: string | undefined): Credentials {
  const user = uid === undefined ? undefined : userOf(uid);
  const group = gid === undefined ? user?.gid : groupOf(gid);
  const ids = [
    ...(user ? [`--reuid=${user.uid}`] : []),
    ...(group === undefined ? [] : [`--regid=${group}`]),
    ...(user?.name === undefined ? ['--clear-groups'] : ['--init-groups']),
  ];
  const env =
    user?.name === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name, SHELL: user.shell };
  return { prefix: [setpriv(), ...ids, '--'], env };
}

/** Refuses what cannot be: another user for a caller who is not root, and names that nobody has. */
export function checkCredentials(
  self: Self,
  uid: string | number | undefined,
  gid: string | number | undefined,
): Credentials {
  if (self.uid !== 0) {
    throw new SlicectlError('E_PRIVILEGE', 'only root can start a job as another user or group', {
      hint: 'run as root, or leave --uid and --gid out',
    });
  }
  return credentials(uid === undefined ? undefined : String(uid), gid === undefined ? undefined : String(gid));
}

/** By its path: the job's PATH need not have it. */
function setpriv(): string {
  const found = ['/usr/bin/setpriv', '/bin/setpriv', '/run/current-system/sw/bin/setpriv'].find(existsSync);
  if (found) return found;
  throw new SlicectlError('E_INPUT', '--uid and --gid need setpriv, which is not installed', {
    hint: 'install util-linux',
  });
}

interface User {
  readonly uid: string;
  readonly gid: string;
  readonly name: string | undefined;
  readonly home: string;
  readonly shell: string;
}

function userOf(text: string): User {
  const [name, , uid, gid, , home = '/', shell = '/bin/sh'] = entry('passwd', text) ?? [];
  if (name !== undefined && uid !== undefined && gid !== undefined) return { uid, gid, name, home, shell };
  if (/^\d+$/.test(text) && Number(text) < 4_294_967_295)
    return { uid: text, gid: text, name: undefined, home: '/', shell: '/bin/sh' };
  throw badInput(`there is no user ${quote(text)}`, 'getent passwd lists the users');
}

function groupOf(text: string): string {
  const gid = entry('group', text)?.[2];
  if (gid !== undefined) return gid;
  if (/^\d+$/.test(text) && Number(text) < 4_294_967_295) return text;
  throw badInput(`there is no group ${quote(text)}`, 'getent group lists the groups');
}
