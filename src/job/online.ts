import { printIndexSet, without } from '../core/cpuset.ts';
import { badInput } from '../core/errors.ts';
import { type AskedLimits, printLimit } from '../core/limits.ts';
import { type Indices, readCpus, readNodes } from '../host/machine.ts';
import type { HostPaths } from '../host/paths.ts';

/**
 * Refuses CPUs and memory nodes that are not there or offline: the kernel and systemd take them without a word, and a
 * set of nothing else means all.
 */
export function checkIndices(paths: HostPaths, asked: AskedLimits): void {
  for (const { name, value } of asked) {
    if (name !== 'AllowedCPUs' && name !== 'AllowedMemoryNodes') continue;
    const [what, machine]: [string, Indices] =
      name === 'AllowedCPUs' ? ['CPU', readCpus(paths)] : ['memory node', readNodes(paths)];
    const set = (value as readonly number[]) ?? [];
    const absent = without(set, machine.present);
    const offline = without(set, machine.online);
    if (offline.length === 0) continue;
    const [which, why] = absent.length > 0 ? [absent, 'does not exist'] : [offline, 'is offline'];
    const whole = printLimit(name, value);
    throw badInput(
      `${whole}: ${what} ${printIndexSet(which)} ${why} on this machine`,
      `its ${what}s are ${printIndexSet(machine.online)}`,
      { [name]: which },
    );
  }
}
