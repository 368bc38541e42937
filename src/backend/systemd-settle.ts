import { SlicectlError } from '../core/errors.ts';
import { type AskedLimits, printLimit } from '../core/limits.ts';
import type { DeviceAmount, LimitName, LimitValue, Row } from '../core/properties/row.ts';
import { rowOf } from '../core/properties/table.ts';
import { blockDevice } from '../host/devices.ts';
import type { HostPaths } from '../host/paths.ts';
import type { Note, SettledLimits } from './backend.ts';

export interface SettleTarget {
  readonly paths: HostPaths;
  /** systemd's major version. */
  readonly systemd: number;
  readonly pageSize: bigint;
  readonly bestEffort: boolean;
  /** Why this backend cannot hold the limit, or undefined when it can. */
  unable(row: Row, value: LimitValue): { readonly why: string; readonly hint: string } | undefined;
}

/**
 * Rounds each limit as its keeper would, looks up the devices, and leaves out or refuses (`E_CONTROLLER`) what the backend
 * cannot hold.
 */
export function settle(asked: AskedLimits, target: SettleTarget): SettledLimits {
  const { pageSize } = target;
  const settled: [LimitName, LimitValue][] = [];
  const devices = new Map<string, string>();
  const notes: Note[] = [];
  for (const { name, value } of asked) {
    const row = rowOf(name);
    const obstacle = target.unable(row, value);
    if (obstacle) {
      const text = `${printLimit(name, value)} cannot be held here: ${obstacle.why}`;
      if (!target.bestEffort)
        throw new SlicectlError('E_CONTROLLER', text, { hint: obstacle.hint, data: { limit: name } });
      notes.push({ limit: name, text: `${text}; left out` });
      continue;
    }
    if (isDeviceList(value)) for (const { device } of value) devices.set(device, blockDevice(target.paths, device));
    const result = row.settle?.(value, { systemd: target.systemd, pageSize }) ?? { value };
    if (result.note) notes.push({ limit: name, text: `${printLimit(name, value)} ${result.note}` });
    settled.push([name, result.value]);
  }
  return { limits: Object.fromEntries(settled), devices, notes };
}

function isDeviceList(value: LimitValue): value is readonly DeviceAmount[] {
  return Array.isArray(value) && typeof value[0] === 'object';
}
