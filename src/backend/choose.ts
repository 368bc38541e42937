import { statSync } from 'node:fs';
import { SlicectlError } from '../core/errors.ts';
import { typeInterface, unitNameOf } from '../dbus/systemd1.ts';
import { type CgroupLayout, readLayout, readMembership, systemdIsBooted } from '../host/cgroups.ts';
import type { HostPaths } from '../host/paths.ts';
import type { Self } from '../host/self.ts';
import type { Backend, BackendKind } from './backend.ts';
import { delegation } from './ownership.ts';
import type { SystemdLink } from './systemd-link.ts';

export interface BackendChoice {
  readonly wanted: 'auto' | BackendKind;
  readonly manager: 'system' | 'user';
  readonly paths: HostPaths;
  readonly self: Self;
}

/**
 * The only place that decides between systemd and plain cgroups. `auto`: systemd where it is booted and its bus answers,
 * else a cgroup tree that this user may write to.
 */
export async function openBackend(choice: BackendChoice): Promise<Backend> {
  const { wanted, paths } = choice;
  const isBooted = systemdIsBooted(paths, isFolder);
  if (wanted === 'systemd') return openSystemd(choice);
  if (wanted !== 'auto' || !isBooted) return openPlain(choice);
  try {
    return await openSystemd(choice);
  } catch (error) {
    if (!(error instanceof SlicectlError) || error.code !== 'E_NO_BUS') throw error;
    const layout = readLayout(paths);
    const membership = readMembership(paths, 'self');
    const isAsked = (): Promise<boolean> => callerIsDelegated(choice.self);
    const answer = membership && (await delegation(paths, layout, membership, choice.self.uid, isAsked));
    if (!answer?.granted) throw error;
    return openPlain(choice);
  }
}

async function openSystemd(choice: BackendChoice): Promise<Backend> {
  const { SystemdBackend } = await import('./systemd.ts');
  const link = await linkTo(choice);
  try {
    return await SystemdBackend.open(link, choice.paths);
  } catch (error) {
    link.close();
    throw error;
  }
}

async function linkTo({ manager, self }: Pick<BackendChoice, 'manager' | 'self'>): Promise<SystemdLink> {
  const { SystemdLink } = await import('./systemd-link.ts');
  return new SystemdLink(manager, { env: self.env, uid: self.uid });
}

async function openPlain({ wanted, paths, self }: BackendChoice): Promise<Backend> {
  const { cgroupBackend } = await import('./cgroup.ts');
  const layout = layoutFor(wanted, readLayout(paths));
  return cgroupBackend({ paths, uid: self.uid, layout, isDelegatedUnit: () => callerIsDelegated(self) });
}

/** Narrows a hybrid layout to the version that was asked for. */
function layoutFor(wanted: BackendChoice['wanted'], layout: CgroupLayout): CgroupLayout {
  if (wanted === 'cgroup-v2') {
    if (layout.v2) return { ...layout, mode: 'unified' };
    throw new SlicectlError('E_NO_CGROUP', 'cgroup v2 is not mounted here', {
      hint: 'mount it, or choose --backend cgroup-v1',
    });
  }
  if (wanted === 'cgroup-v1' && layout.v1.size === 0) {
    throw new SlicectlError('E_NO_CGROUP', 'cgroup v1 is not mounted here', { hint: 'choose --backend cgroup-v2' });
  }
  return layout;
}

/**
 * Whether the unit that this process is in has Delegate=, so that systemd leaves the groups below it alone. A user asks the
 * user manager: to the system manager all of the user's units are one, `user@N.service`, which is delegated.
 */
async function callerIsDelegated(self: Self): Promise<boolean> {
  const link = await linkTo({ manager: self.uid === 0 ? 'system' : 'user', self });
  try {
    const { manager } = await link.session();
    const path = await manager.getUnitByPID(0);
    const unit = unitNameOf(path);
    return (
      unit !== undefined &&
      /\.(scope|service)$/.test(unit) &&
      (await manager.get(path, typeInterface(unit), 'Delegate')) === true
    );
  } catch (error) {
    // Without an answer nobody has said that it is delegated.
    if (error instanceof SlicectlError) return false;
    throw error;
  } finally {
    link.close();
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
