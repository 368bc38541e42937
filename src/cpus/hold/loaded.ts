import { type IndexSet, indexSetFromBytes, indexSetToBytes } from '../../core/cpuset.ts';
import { busErrorName } from '../../dbus/errors.ts';
import { typeInterface } from '../../dbus/systemd1.ts';
import { asString } from '../../dbus/values.ts';
import type { HoldHost } from './host.ts';
import type { SetName } from './parameters.ts';

/** What systemd holds of a loaded unit. */
export interface LoadedSet {
  /** Empty where nothing is set. */
  readonly property: IndexSet;
  /** Undefined where the unit has no group now, as an inactive one. */
  readonly cgroup: string | undefined;
}

const GONE = new Set(['org.freedesktop.systemd1.NoSuchUnit', 'org.freedesktop.DBus.Error.UnknownObject']);

/** Undefined for a unit that is not loaded, or went meanwhile. */
export function readLoaded({ link }: HoldHost, unit: string, name: SetName): Promise<LoadedSet | undefined> {
  return unlessGone(() =>
    link.persist(async ({ manager }) => {
      const path = await manager.getUnit(unit);
      const [value, group] = await Promise.all([
        manager.get(path, typeInterface(unit), name),
        manager.get(path, typeInterface(unit), 'ControlGroup'),
      ]);
      const cgroup = asString(group, 'a cgroup');
      return {
        property: value instanceof Uint8Array ? indexSetFromBytes(value) : [],
        cgroup: cgroup === '' ? undefined : cgroup,
      };
    }),
  );
}

/** Sets a set until reboot. False for a unit that is not loaded, or went meanwhile. */
export async function setLoaded({ link }: HoldHost, unit: string, name: SetName, set: IndexSet): Promise<boolean> {
  const done = await unlessGone(() =>
    link.persist(async ({ manager }) => {
      await manager.setUnitProperties(unit, true, [[name, 'ay', indexSetToBytes(set)]]);
      return true;
    }),
  );
  return done ?? false;
}

/** The loaded slices that have a group, the root slice left out: it has no cpuset files. */
export function activeSlices({ link }: HoldHost): Promise<readonly string[]> {
  return link.persist(async ({ manager }) => {
    const units = await manager.listUnitsByPatterns(['active'], ['*.slice']);
    return units.map(({ name }) => name).filter((name) => name !== '-.slice');
  });
}

/** Undefined where systemd does not know the unit that is asked for. */
export async function unlessGone<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (GONE.has(busErrorName(error) ?? '')) return undefined;
    throw error;
  }
}
