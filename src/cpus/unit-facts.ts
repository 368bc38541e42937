import type { SystemdLink } from '../backend/systemd-link.ts';
import { type IndexSet, indexSetFromBytes } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import { parseUnitFile } from '../core/unit-file.ts';
import { sliceLevels, sliceName } from '../core/unit-name.ts';
import { type Manager, typeInterface, UNIT_INTERFACE, type UnitStatus } from '../dbus/systemd1.ts';
import type { RootTree } from '../host/root-tree.ts';
import { unitFolders } from '../host/unit-files.ts';
import { setOfFiles, textOfFile } from './file-sets.ts';
import type { UnitFacts } from './model.ts';
import { isLiveDropIn, isOwnDropIn } from './own-files.ts';

/**
 * All units that matter for the CPUs, by name. `isHeld`: reservations are in force, so that what SetUnitProperties left
 * until reboot is slicectl's.
 */
export async function readUnitFacts(link: SystemdLink, tree: RootTree, isHeld: boolean): Promise<readonly UnitFacts[]> {
  const loaded = await link.persist(async ({ manager }) => {
    const found = await manager.listUnitsByPatterns([], ['*.slice', '*.scope', '*.service']);
    const units = await Promise.all(
      found.filter(({ loadState }) => loadState === 'loaded').map((unit) => readUnit({ manager, tree, isHeld }, unit)),
    );
    return units.filter((unit) => unit !== undefined);
  });
  const names = new Set(loaded.map(({ name }) => name));
  const dormant = dormantUnits(tree, isHeld).filter(({ name }) => !names.has(name));
  return [...loaded, ...dormant].sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Reader {
  readonly manager: Manager;
  readonly tree: RootTree;
  readonly isHeld: boolean;
}

/** Undefined for a service or scope in a slice that sets neither AllowedCPUs nor CPUAffinity. */
async function readUnit(reader: Reader, { name, activeState, path }: UnitStatus): Promise<UnitFacts | undefined> {
  const own = typeInterface(name);
  const get = (property: string, iface = own): Promise<unknown> => propertyOf(reader.manager, path, iface, property);
  const [allowed, affinity] = [
    setOf(await get('AllowedCPUs')),
    name.endsWith('.service') ? setOf(await get('CPUAffinity')) : [],
  ];
  const slice = textOf(await get('Slice'));
  const isAlways = name.endsWith('.slice') || name === 'init.scope' || slice === '-.slice';
  if (!isAlways && allowed.length === 0 && affinity.length === 0) return undefined;
  const [effective, memoryNodes, cgroup, transient, fragment, dropInPaths] = await Promise.all([
    get('EffectiveCPUs'),
    get('AllowedMemoryNodes'),
    get('ControlGroup'),
    get('Transient', UNIT_INTERFACE),
    get('FragmentPath', UNIT_INTERFACE),
    get('DropInPaths', UNIT_INTERFACE),
  ]);
  const dropIns = Array.isArray(dropInPaths) ? dropInPaths.map(String) : [];
  const files = [...(textOf(fragment) === '' ? [] : [textOf(fragment)]), ...dropIns];
  const foreign = files.filter((file) => !isOwnDropIn(file) && !(reader.isHeld && isLiveDropIn(file)));
  return {
    name,
    activeState,
    allowed,
    effective: setOf(effective),
    affinity,
    // Kernel and systemd call the root group / and the empty text.
    cgroup: textOf(cgroup),
    slice,
    isTransient: transient === true,
    memoryNodes: setOf(memoryNodes),
    dropIns,
    given: setOfFiles(reader.tree, foreign, 'AllowedCPUs'),
    givenNodes: setOfFiles(reader.tree, foreign, 'AllowedMemoryNodes'),
  };
}

const setOf = (value: unknown): IndexSet => (value instanceof Uint8Array ? indexSetFromBytes(value) : []);

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Undefined where this systemd does not know the property, or the unit has gone meanwhile. */
async function propertyOf(manager: Manager, path: string, iface: string, property: string): Promise<unknown> {
  try {
    return await manager.get(path, iface, property);
  } catch (error) {
    if (error instanceof SlicectlError && error.code === 'E_BUS') return undefined;
    throw error;
  }
}

/** Units of which files say something about CPUs and which may be loaded later. */
function dormantUnits(tree: RootTree, isHeld: boolean): readonly UnitFacts[] {
  const files = new Map<string, Map<string, string>>();
  const note = (unit: string, key: string, path: string): void => {
    const known = files.get(unit) ?? new Map<string, string>();
    if (!known.has(key)) known.set(key, path);
    files.set(unit, known);
  };
  for (const folder of unitFolders()) {
    for (const entry of tree.list(folder)) {
      const path = `${folder}/${entry}`;
      if (/\.(?:slice|service)$/.test(entry)) note(entry, '', path);
      const unit = /^(.+[^-]\.(?:slice|service))\.d$/.exec(entry)?.[1];
      if (unit === undefined) continue;
      for (const name of tree.list(path)) if (name.endsWith('.conf')) note(unit, name, `${path}/${name}`);
    }
  }
  return [...files].flatMap(([name, own]) => {
    // The fragment has the empty key, which comes first.
    const all = [...own].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
    const paths = all.filter((path) => !isOwnDropIn(path) && !(isHeld && isLiveDropIn(path)) && mentions(tree, path));
    const [given, affinity] = [setOfFiles(tree, paths, 'AllowedCPUs'), setOfFiles(tree, paths, 'CPUAffinity')];
    if (given.length === 0 && affinity.length === 0) return [];
    const slice = name.endsWith('.slice') ? (sliceLevels(name).at(-2) ?? '-.slice') : sliceOfFiles(tree, all);
    const sets = { allowed: given, effective: [], affinity, memoryNodes: [], given, givenNodes: [] };
    return [{ name, activeState: 'inactive', cgroup: '', slice, isTransient: false, dropIns: paths, ...sets }];
  });
}

/** Where a service will be: its last Slice= counts (systemd.resource-control(5)). Of a template the slice that its instances share. */
function sliceOfFiles(tree: RootTree, files: readonly string[]): string {
  const usual = 'system.slice';
  const written = files
    .flatMap((path) => parseUnitFile(textOfFile(tree, path), path).assignments)
    .findLast(({ section, key }) => section === 'Service' && key === 'Slice')?.value.text;
  try {
    return written === undefined || written === '' ? usual : sliceName(written.replace(/-[^-]*%.*$/, '.slice'));
  } catch (error) {
    if (error instanceof SlicectlError) return usual;
    throw error;
  }
}

function mentions(tree: RootTree, path: string): boolean {
  return /AllowedCPUs|CPUAffinity/.test(textOfFile(tree, path));
}
