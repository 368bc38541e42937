import type { SystemdLink } from '../backend/systemd-link.ts';
import { type IndexSet, indexSetFromBytes } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import { type Manager, typeInterface, type UnitStatus } from '../dbus/systemd1.ts';

/** What systemd says of a unit's CPUs. It can differ from what the kernel holds. */
export interface UnitCpus {
  readonly name: string;
  readonly activeState: string;
  /** AllowedCPUs; empty where it is not set. */
  readonly allowed: IndexSet;
  /** EffectiveCPUs; empty also where the unit's group has no cpuset files, which is usual below slices. */
  readonly effective: IndexSet;
  /** CPUAffinity of a service; empty where it is not set. */
  readonly affinity: IndexSet;
}

/** The loaded slices and services, init.scope, and the units of the names; those that set neither property are left out. */
export async function readUnitCpus(link: SystemdLink, names: readonly string[]): Promise<readonly UnitCpus[]> {
  return link.persist(async ({ manager }) => {
    const units = await manager.listUnitsByPatterns(
      [],
      ['*.slice', '*.service', 'init.scope', ...names.map(literally)],
    );
    const loaded = units.filter(({ loadState }) => loadState === 'loaded');
    const read = await Promise.all(loaded.map((unit) => readOne(manager, unit)));
    return read
      .filter(({ allowed, affinity }) => allowed.length > 0 || affinity.length > 0)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** A pattern that means the name alone (fnmatch(3)). */
function literally(name: string): string {
  return name.replace(/[\\*?[]/g, '\\$&');
}

async function readOne(manager: Manager, { name, activeState, path }: UnitStatus): Promise<UnitCpus> {
  const own = typeInterface(name);
  const [allowed, effective, affinity] = await Promise.all([
    setAt(manager, path, own, 'AllowedCPUs'),
    setAt(manager, path, own, 'EffectiveCPUs'),
    name.endsWith('.service') ? setAt(manager, path, own, 'CPUAffinity') : [],
  ]);
  return { name, activeState, allowed, effective, affinity };
}

/** Empty where this systemd does not know the property (before 244), or the unit has gone meanwhile. */
async function setAt(manager: Manager, path: string, iface: string, property: string): Promise<IndexSet> {
  try {
    const value = await manager.get(path, iface, property);
    return value instanceof Uint8Array ? indexSetFromBytes(value) : [];
  } catch (error) {
    if (error instanceof SlicectlError && error.code === 'E_BUS') return [];
    throw error;
  }
}
