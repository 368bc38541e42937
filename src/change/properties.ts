import { posix } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { SlicectlError } from '../core/errors.ts';
import { busErrorName } from '../dbus/errors.ts';
import { makeFolders, missingFolders, removeFolders } from '../host/made-folders.ts';
import { putBack } from '../host/replace-file.ts';
import type { FileHand } from './files.ts';
import type { PropertyStep } from './plan.ts';
import type { PropertyFacts } from './progress.ts';
import type { UnitControl } from './units.ts';

const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit';

type DropIns = Readonly<Record<string, Uint8Array>>;

/** `E_CHANGED` unless the property is as the plan found it. */
export async function checkProperty(hand: FileHand, control: UnitControl, step: PropertyStep): Promise<void> {
  const { unit, name, before } = step;
  const isSame =
    before === undefined
      ? ownDropIns(hand, control, step).length === 0
      : isDeepStrictEqual(plain(await control.property(unit, name)), plain(before));
  if (isSame) return;
  throw new SlicectlError('E_CHANGED', `${name} of ${unit} changed after the plan was made; nothing was written`, {
    hint: 'make the plan again',
    data: { unit, property: name },
  });
}

/** What has to be known before a property is set. */
export function propertyFacts(hand: FileHand, control: UnitControl, { unit }: PropertyStep): PropertyFacts {
  return { dropIns: readDropIns(hand, control, unit) };
}

/** Sets a property, or gives it back, and tells what systemd wrote. May be repeated. */
export async function setProperty(
  hand: FileHand,
  control: UnitControl,
  step: PropertyStep,
  facts: PropertyFacts,
): Promise<PropertyFacts> {
  const { unit, runtime, name, signature, after, release } = step;
  if (after !== undefined) await control.setProperty(unit, runtime, [name, signature, after]);
  else {
    if (release !== undefined) await setIfLoaded(control, step, release);
    for (const path of ownDropIns(hand, control, step)) restore(hand, path, undefined);
    await control.reload();
  }
  return { ...facts, dropInsAfter: readDropIns(hand, control, unit) };
}

/**
 * Takes a property back: the former value at once, then systemd's drop-ins as they were, then a reload, after which files
 * and manager say the same. A drop-in that was changed since stays as it is. May be repeated.
 */
export async function takePropertyBack(
  hand: FileHand,
  control: UnitControl,
  step: PropertyStep,
  { dropIns, dropInsAfter }: PropertyFacts,
): Promise<void> {
  const value = step.before ?? step.release;
  if (value !== undefined) await setIfLoaded(control, step, value);
  const now = readDropIns(hand, control, step.unit);
  const ours = new Set(ownPaths(control, step));
  for (const path of new Set([...Object.keys(dropIns), ...Object.keys(now)])) {
    const isOurs = ours.has(path) || !isDeepStrictEqual(dropInsAfter?.[path], dropIns[path]);
    if (isOurs && !isDeepStrictEqual(now[path], dropIns[path])) restore(hand, path, dropIns[path]);
  }
  await control.reload();
}

// A unit that has gone, such as an empty slice, has nothing to set; its drop-ins count for its next start.
async function setIfLoaded(
  control: UnitControl,
  { unit, name, signature }: PropertyStep,
  value: unknown,
): Promise<void> {
  try {
    await control.setProperty(unit, true, [name, signature, value]);
  } catch (error) {
    if (busErrorName(error) !== NO_SUCH_UNIT) throw error;
  }
}

function ownDropIns(hand: FileHand, control: UnitControl, step: PropertyStep): readonly string[] {
  return ownPaths(control, step).filter((path) => hand.tree.kind(path) === 'file');
}

/** Where systemd may have written this property: named after its setting, which for some is not the D-Bus name. */
function ownPaths({ dropInFolders }: UnitControl, { unit, name }: PropertyStep): readonly string[] {
  const setting = name.replace(/PerSecUSec$|Scale$/, '').replace(/USec$/, 'Sec');
  return dropInFolders.map((folder) => posix.join(folder, `${unit}.d`, `50-${setting}.conf`));
}

function readDropIns(hand: FileHand, { dropInFolders }: UnitControl, unit: string): DropIns {
  const paths = dropInFolders.flatMap((folder) => {
    const own = posix.join(folder, `${unit}.d`);
    return hand.tree.list(own).map((name) => posix.join(own, name));
  });
  return Object.fromEntries(
    paths.flatMap((path): [string, Uint8Array][] => {
      const bytes = path.endsWith('.conf') ? hand.tree.read(path)?.bytes : undefined;
      return bytes === undefined ? [] : [[path, new Uint8Array(bytes)]];
    }),
  );
}

function restore({ tree, uid, disk }: FileHand, path: string, bytes: Uint8Array | undefined): void {
  const target = tree.follow(path);
  const owner = tree.ownerOf(posix.dirname(target));
  const place = { tree, target, tag: 'undo', uid, disk };
  if (bytes !== undefined) makeFolders(tree, missingFolders(tree, target), uid, disk);
  putBack(place, bytes === undefined ? undefined : { bytes, mode: 0o644, ...owner });
  if (bytes === undefined) removeFolders(tree, [posix.dirname(target)], uid, disk);
}

// D-Bus gives `ay` as bytes; a plan may have it as numbers.
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  return Array.isArray(value) ? value.map(plain) : value;
}
