import { posix } from 'node:path';
import type { RootTree } from '../host/root-tree.ts';
import { unitFolders } from '../host/unit-files.ts';
import { RECORD_FOLDERS } from './record.ts';

/** Where the files of reservations lie that last, or that are until reboot. */
export interface Layer {
  /** Folder of the units that an administrator writes. */
  readonly units: string;
  /**
   * The name of what is set for all slices. systemd takes of equal names the one of the unit itself before that of a
   * prefix, and that before the one of the type, so that a file of this name hides it from one slice
   * (unit_file_find_dropin_paths, src/shared/dropin.c). It comes before `50-AllowedCPUs.conf`, by which SetUnitProperties
   * gives jobs CPUs of their own: behind it, systemd would take them away at each daemon-reload (seen on 257).
   */
  readonly forAll: string;
  /**
   * The name of what is set for one unit, behind what others set, `override.conf` of systemctl edit too. Names count over
   * folders: another one for files in /run, which would be hidden by those in /etc; and behind it, so that it wins.
   */
  readonly dropIn: string;
  /** What irqbalance is told. */
  readonly irqbalance: string;
}

const OWN_FOLDER = '/etc/slicectl';

export const LASTING: Layer = {
  units: '/etc/systemd/system',
  forAll: '10-slicectl-cpus.conf',
  dropIn: 'zz-slicectl-cpus.conf',
  irqbalance: '/etc/slicectl/irqbalance.env',
};

export const UNTIL_REBOOT: Layer = {
  units: '/run/systemd/system',
  forAll: '11-slicectl-cpus.conf',
  dropIn: 'zzz-slicectl-cpus.conf',
  irqbalance: '/run/slicectl/irqbalance.env',
};

const LAYERS = [LASTING, UNTIL_REBOOT] as const;

/** The unit that brings back at boot what systemd cannot keep. */
export const BOOT_UNIT = 'slicectl-cpus.service';

export const BOOT_UNIT_PATH = `${LASTING.units}/${BOOT_UNIT}`;

/** The unit that a payload slice starts when it starts, to get back what went with its group. */
export const AGAIN_UNIT = 'slicectl-cpus-again.service';

/** The first line of a unit that slicectl wrote itself. */
export const OWN_UNIT_MARK = '# Written by slicectl cpus reserve';

export function isOwnDropIn(path: string): boolean {
  return LAYERS.some(
    ({ units, forAll, dropIn }) =>
      path.startsWith(`${units}/`) && [forAll, dropIn].some((name) => path.endsWith(`.d/${name}`)),
  );
}

/** Where systemd keeps until reboot what SetUnitProperties set; scopes and transient units have the second one. */
export const LIVE_FOLDERS = ['/run/systemd/system.control', '/run/systemd/transient'] as const;

const LIVE_NAMES: readonly string[] = ['AllowedCPUs', 'AllowedMemoryNodes'];

/** Whether a drop-in is systemd's own of a property that was set until reboot: the named one, or any that slicectl sets. */
export function isLiveDropIn(path: string, name?: string): boolean {
  const [, folder = '', property = ''] = /^(.+)\/[^/]+\.d\/50-(\w+)\.conf$/.exec(path) ?? [];
  const names = name === undefined ? LIVE_NAMES : [name];
  return LIVE_FOLDERS.some((live) => live === folder) && names.includes(property);
}

/** All files of reservations that are there, records before others. */
export function ownFiles(tree: RootTree): readonly string[] {
  const dropIns = LAYERS.flatMap(({ units, forAll, dropIn, irqbalance }) => [
    ...tree
      .list(units)
      .flatMap((name) => (name.endsWith('.d') ? [forAll, dropIn].map((file) => `${units}/${name}/${file}`) : []))
      .filter((path) => tree.kind(path) === 'file'),
    ...(tree.kind(irqbalance) === 'file' ? [irqbalance] : []),
    ...(ownText(tree, `${units}/${AGAIN_UNIT}`) === undefined ? [] : [`${units}/${AGAIN_UNIT}`]),
  ]);
  const records = RECORD_FOLDERS.flatMap((folder) =>
    tree.list(folder).flatMap((name) => (name.endsWith('.conf') && !name.startsWith('.') ? [`${folder}/${name}`] : [])),
  );
  return [...records, ...(ownBootUnit(tree) === undefined ? [] : [BOOT_UNIT_PATH]), ...dropIns];
}

/** Folders that are there for such files alone, topmost first: those of drop-ins, of records, and `/etc/slicectl`. */
export function ownFolders(path: string): readonly string[] {
  const folder = posix.dirname(path);
  const isOwn = folder.endsWith('.d') || RECORD_FOLDERS.some((one) => one === folder);
  return [...(folder.startsWith(OWN_FOLDER) ? [OWN_FOLDER] : []), ...(isOwn ? [folder] : [])];
}

/** The text of the boot unit, where slicectl wrote it. */
export function ownBootUnit(tree: RootTree): string | undefined {
  return ownText(tree, BOOT_UNIT_PATH);
}

/** The text of {@link AGAIN_UNIT}, where slicectl wrote it. */
export function ownAgainUnit(tree: RootTree): string | undefined {
  return LAYERS.map(({ units }) => ownText(tree, `${units}/${AGAIN_UNIT}`)).find((text) => text !== undefined);
}

function ownText(tree: RootTree, path: string): string | undefined {
  const text = tree.text(path);
  return text?.startsWith(OWN_UNIT_MARK) ? text : undefined;
}

/** Whether somebody else installed the boot unit. */
export function isBootUnitInstalled(tree: RootTree): boolean {
  return unitFolders()
    .map((folder) => `${folder}/${BOOT_UNIT}`)
    .some((path) => tree.kind(path) === 'file' && !(path === BOOT_UNIT_PATH && ownBootUnit(tree) !== undefined));
}
