import { SlicectlError } from '../core/errors.ts';
import { printLimit } from '../core/limits.ts';
import { lines, readAmount } from '../core/properties/forms.ts';
import type { Limits } from '../core/properties/row.ts';
import { approximateSize } from '../core/quantity.ts';
import type { ControlFiles } from '../host/control-files.ts';

/**
 * Refuses a MemoryMax below what the job cannot give back, for which the kernel would kill at once (cgroup-v2.rst,
 * memory.max). The page cache does not count: it is reclaimed first.
 */
export function refuseShrinking(files: ControlFiles, { MemoryMax }: Limits): void {
  if (MemoryMax === undefined || MemoryMax === 'infinity') return;
  const isV2 = files.version === 2;
  const used = readAmount(files.read('memory', isV2 ? 'memory.current' : 'memory.usage_in_bytes'));
  if (used === undefined || used === 'infinity') return;
  const cacheKeys = ['inactive_file', 'active_file'].map((key) => (isV2 ? key : `total_${key}`));
  const cache = lines(files.read('memory', 'memory.stat') ?? '')
    .filter(([key = '']) => cacheKeys.includes(key))
    .reduce((sum, [, count]) => sum + BigInt(count ?? '0'), 0n);
  const firm = used > cache ? used - cache : 0n;
  if (MemoryMax >= firm) return;
  const held = `${approximateSize(firm)} that the job holds now`;
  throw new SlicectlError(
    'E_INPUT',
    `${printLimit('MemoryMax', MemoryMax)} is below the ${held}: the kernel would kill it`,
    {
      hint: `choose more than ${firm} bytes, or end the job`,
      data: { limit: 'MemoryMax', inUse: firm, usage: used },
    },
  );
}
