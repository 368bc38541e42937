import type { SystemdLink } from '../backend/systemd-link.ts';
import { type Manager, UNIT_INTERFACE } from '../dbus/systemd1.ts';
import { whileService } from './while-unit.ts';

/**
 * Has the service of `--while-unit` watch again where its unit goes on: systemd stopped it when the unit went down, and
 * does not start it when Restart= brings the unit back. To be called by its stop command. Nothing where the unit did not
 * go down since, so that it is the service itself that somebody stops.
 *
 * The job takes the place of the one that stops the service, and runs when that has stopped; it is not waited for, which
 * would be for ever. It ignores dependencies, for with them it would also start the unit that somebody may be stopping
 * just now. If the unit is down by then, the service is stopped again for being bound to it.
 */
export async function watchOn(link: SystemdLink, slice: string, unit: string): Promise<boolean> {
  return link.persist(async ({ manager }) => {
    const service = whileService(slice);
    const found = await manager.listUnitsByNames([service]);
    if (found[0]?.activeState !== 'deactivating') return false;
    const [watched] = await timesOf(manager, service, ['ActiveEnterTimestampMonotonic']);
    const down = await timesOf(manager, unit, ['ActiveExitTimestampMonotonic', 'InactiveEnterTimestampMonotonic']);
    if (watched === undefined || !down.some((time) => time > watched)) return false;
    await manager.startUnit(service, 'ignore-dependencies');
    return true;
  });
}

/** In microseconds since boot; 0 for what never was. */
async function timesOf(manager: Manager, unit: string, names: readonly string[]): Promise<readonly bigint[]> {
  const all = await manager.getAll(await manager.getUnit(unit), UNIT_INTERFACE);
  return names.map((name) => (typeof all[name] === 'bigint' ? all[name] : 0n));
}
