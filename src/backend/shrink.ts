import { SlicectlError } from '../core/errors.ts';
import { printLimit } from '../core/limits.ts';
import { readAmount } from '../core/properties/forms.ts';
import type { Limits } from '../core/properties/row.ts';
import { approximateSize } from '../core/quantity.ts';
import type { ControlFiles } from '../host/control-files.ts';

/** Refuses a MemoryMax below what the job uses now: the kernel would reclaim, and then kill. */
export function refuseShrinking(files: ControlFiles, limits: Limits): void {
  const { MemoryMax } = limits;
  if (MemoryMax === undefined || MemoryMax === 'infinity') return;
  const used = readAmount(files.read('memory', files.version === 2 ? 'memory.current' : 'memory.usage_in_bytes'));
  if (used === undefined || used === 'infinity' || used <= MemoryMax) return;
  const text = `${printLimit('MemoryMax', MemoryMax)} is below the ${approximateSize(used)} that the job uses, and the kernel would kill for it`;
  throw new SlicectlError('E_INPUT', text, { hint: 'set MemoryHigh first and wait, or stop the job', data: { used } });
}
