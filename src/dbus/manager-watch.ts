import { MANAGER_INTERFACE, MANAGER_PATH, SYSTEMD } from './systemd1.ts';
import type { Bus } from './types.ts';

/**
 * What becomes of the manager on a bus that itself goes on.
 *
 * - `gone`: it has no name. It closes its connection for `daemon-reexec`, and a user's manager ends with its session.
 * - `back`: it has a name again, under another unique name. Jobs and subscribers are kept by systemd; a waiter reads the
 *   state again, since signals of the time between are lost.
 * - `reloading`, `reloaded`: `daemon-reload` began and ended; around `gone` and `back` also for `daemon-reexec`. Sent
 *   only while somebody has called Manager.Subscribe; logind has on most systems, which is not to be relied on.
 */
export type ManagerEvent = 'gone' | 'back' | 'reloading' | 'reloaded';

/** Resolves when the watch is in force, with the function that ends it. */
export async function watchManager(bus: Bus, onEvent: (event: ManagerEvent) => void): Promise<() => Promise<void>> {
  const daemon = 'org.freedesktop.DBus';
  const owner = { sender: daemon, interface: daemon, member: 'NameOwnerChanged', arg0: SYSTEMD };
  const reloading = { sender: SYSTEMD, path: MANAGER_PATH, interface: MANAGER_INTERFACE, member: 'Reloading' };
  const ends = await Promise.all([
    bus.subscribe(owner, ({ body: [, before, after] }) => {
      if (before !== '') onEvent('gone');
      if (after !== '') onEvent('back');
    }),
    bus.subscribe(reloading, ({ body: [active] }) => onEvent(active === true ? 'reloading' : 'reloaded')),
  ]);
  return async () => {
    await Promise.all(ends.map((end) => end()));
  };
}
