import type { Limits } from '../core/properties/row.ts';
import { busErrorName } from '../dbus/errors.ts';
import { typeInterface } from '../dbus/systemd1.ts';
import type { Ending } from './backend.ts';
import { isUnreachable, type SystemdLink } from './systemd-link.ts';
import { endsBySystemd } from './systemd-plan.ts';
import { NO_SUCH_UNIT } from './systemd-start.ts';

const NOT_REFERENCED = 'org.freedesktop.systemd1.NotReferenced';

/** systemd's word for the end of a scope, and the way to want it no more. */
export interface ScopeReference {
  ending(): Promise<Ending>;
  forget(): void;
}

/**
 * Keeps a scope's unit past its end, so that its Result can be read. The reference that AddRef made goes with the
 * connection that made it, so each new connection takes another.
 */
export function referScope(link: SystemdLink, unit: string, limits: Limits, isReferred: boolean): ScopeReference {
  if (!endsBySystemd(limits)) return { ending: async () => 'success', forget: () => undefined };
  const start = performance.now();
  const refer = (): Promise<void> => link.persist(({ manager }) => manager.refUnit(unit));
  // A unit that went meanwhile shows in `ending`, a bus that stays away as well.
  const referAgain = (): void => void refer().catch(() => undefined);
  const forget = link.wait({ onReconnected: referAgain, onGivenUp: () => undefined });
  if (!isReferred) referAgain();
  const ending = async (): Promise<Ending> => {
    const ranUsec = BigInt(Math.round((performance.now() - start) * 1000));
    try {
      return await link.persist(async ({ manager }) => {
        // GetUnit loads nothing: reading the properties of a unit that has gone would give those of a new, empty one.
        const path = await manager.getUnit(unit);
        return String(await manager.get(path, typeInterface(unit), 'Result'));
      });
    } catch (error) {
      if (busErrorName(error) !== NO_SUCH_UNIT && !isUnreachable(error)) throw error;
      return lostEnding(limits, ranUsec);
    } finally {
      forget();
      await dropReferences(link, unit);
    }
  };
  return { ending, forget };
}

/** The unit ended while nobody held it; no scope outlives its RuntimeMaxSec. */
function lostEnding({ RuntimeMaxSec }: Limits, ranUsec: bigint): Ending {
  return typeof RuntimeMaxSec === 'bigint' && ranUsec >= RuntimeMaxSec ? 'timeout' : 'unknown';
}

/** Lets an ended unit go; a connection can have referred to it more than once when attempts were repeated. */
export async function dropReferences(link: SystemdLink, unit: string): Promise<void> {
  try {
    for (;;) await link.persist(({ manager }) => manager.unrefUnit(unit));
  } catch (error) {
    const isGone = [NOT_REFERENCED, NO_SUCH_UNIT].includes(busErrorName(error) ?? '');
    if (!isGone && !isUnreachable(error)) throw error;
  }
}
