import { printLimit } from '../core/limits.ts';
import type { CgroupForm, DeviceAmount, FileContext, LimitValue, Row } from '../core/properties/row.ts';
import type { ControlFiles } from '../host/control-files.ts';

/** A value that counts, and the group that holds it. */
export interface Bound {
  readonly value: LimitValue;
  readonly cgroup: string;
}

/** The smallest bound on the way up, or the effective set; undefined where nothing binds. */
export function tightest(row: Row, form: CgroupForm<LimitValue>, files: ControlFiles): Bound | undefined {
  if (row.ancestors === 'effective') return effective(form, files);
  if (row.ancestors !== 'smallest') return undefined;
  let best: { value: LimitValue; cgroup: string } | undefined;
  for (const group of [files, ...files.ancestors(form.controller)]) {
    const value = form.read((c, f) => group.read(c, f));
    if (value !== undefined && value !== 'infinity' && (!best || isLess(value, best.value)))
      best = { value, cgroup: group.path };
  }
  return best;
}

function isLess(a: LimitValue, b: LimitValue): boolean {
  if (a === 'infinity') return false;
  if (b === 'infinity') return true;
  return typeof a === 'bigint' && typeof b === 'bigint' && a < b;
}

export function isIndexSet(value: LimitValue | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'number');
}

function isDeviceList(value: LimitValue): value is readonly DeviceAmount[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'object');
}

/** Whether the value of a group above leaves less than the job's own. */
export function isTighter(row: Row, above: LimitValue, value: LimitValue, context: FileContext): boolean {
  if (row.ancestors === 'smallest') return isLess(above, value);
  if (row.ancestors === 'devices') return tighterDevice(above, value, context) !== undefined;
  return false;
}

function tighterDevice(above: LimitValue, value: LimitValue, { devices }: FileContext): DeviceAmount | undefined {
  if (!isDeviceList(above) || !isDeviceList(value)) return undefined;
  for (const { device, amount } of value) {
    const number = devices.get(device) ?? device;
    const found = above.find((entry) => entry.device === number);
    if (found && isLess(found.amount, amount)) return { device, amount: found.amount };
  }
  return undefined;
}

/** The tighter value of a group above, as `Name=value`; for devices that of the first tighter one. */
export function printAbove(row: Row, above: LimitValue, value: LimitValue, context: FileContext): string {
  const device = tighterDevice(above, value, context);
  return printLimit(row.name, device ? [device] : above);
}

/**
 * The effective set of the nearest group that has the controller, since a group without it may use what that one may;
 * undefined where this is all that the topmost group has.
 */
function effective(form: CgroupForm<LimitValue>, files: ControlFiles): Bound | undefined {
  const sets = [files, ...files.ancestors(form.controller)].flatMap((group) => {
    const value = form.read((c, f) => group.read(c, f));
    return value === undefined ? [] : [{ value, cgroup: group.path }];
  });
  const [nearest] = sets;
  const isAll = nearest && String(nearest.value) === String(sets.at(-1)?.value);
  return isAll && nearest.cgroup !== files.path ? undefined : nearest;
}
