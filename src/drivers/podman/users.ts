import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { ifReadable } from '../../host/readable.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { Self } from '../../host/self.ts';
import type { DriverHost } from '../model.ts';
import type { PodmanUser } from './layers.ts';

/** A user and what can be known of podman's environment there. */
export interface Account {
  readonly user: PodmanUser;
  /** Whether systemd's manager of that user can be reached, as podman itself finds out. */
  readonly hasSession: boolean;
}

/** root, and on a host that runs the user who asks. */
export function accountsOf({ tree, live, self }: DriverHost): readonly Account[] {
  if (live === undefined) return [{ user: accountOf(tree, 0), hasSession: true }];
  const own = { user: withEnvironment(accountOf(tree, self.uid), self) };
  if (self.uid === 0) return [{ ...own, hasSession: true }];
  const root = { user: accountOf(tree, 0), hasSession: true };
  return [root, { ...own, hasSession: hasSession(live.paths.run, self.uid, self.env) }];
}

function accountOf(tree: RootTree, uid: number): PodmanUser {
  const lines = (ifReadable(() => tree.text('/etc/passwd')) ?? '').split('\n').map((line) => line.split(':'));
  const fields = lines.find((each) => each[2] === String(uid)) ?? [];
  const name = fields[0] ?? (uid === 0 ? 'root' : String(uid));
  const home = fields[5] || (uid === 0 ? '/root' : '/');
  return { uid, name, isSelf: false, folder: posix.join(home, '.config/containers') };
}

function withEnvironment(user: PodmanUser, { env, cwd }: Self): PodmanUser {
  const { XDG_CONFIG_HOME, HOME, CONTAINERS_CONF, CONTAINERS_CONF_OVERRIDE } = env;
  const config = XDG_CONFIG_HOME || (HOME && `${HOME}/.config`);
  return {
    ...user,
    isSelf: true,
    ...(config && posix.isAbsolute(config) && { folder: `${posix.resolve(config)}/containers` }),
    only: CONTAINERS_CONF ? posix.resolve(cwd, CONTAINERS_CONF) : undefined,
    override: CONTAINERS_CONF_OVERRIDE ? posix.resolve(cwd, CONTAINERS_CONF_OVERRIDE) : undefined,
  };
}

/** As CheckCgroupsAndAdjustConfig does it, containers/common pkg/config/config.go: is there a bus's socket? */
function hasSession(run: string, uid: number, env: NodeJS.ProcessEnv): boolean {
  const address = env.DBUS_SESSION_BUS_ADDRESS;
  const path =
    address === undefined
      ? `${env.XDG_RUNTIME_DIR || `${run}/user/${uid}`}/bus`
      : /(?:^|,)unix:path=([^,]*)/.exec(address)?.[1];
  return path !== undefined && existsSync(path);
}
