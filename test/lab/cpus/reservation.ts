import { expect } from 'vitest';
import type { Mask } from './masks.ts';
import type { CpuLab } from './support.ts';

/** Node 1 of the machine with 8 CPUs. */
export const PAYLOAD = '4-7';
export const SYSTEM = '0-3';
export const RESERVE = ['cpus', 'reserve', '--cores', '2', '--numa-node', '1', '--for', 'payload.slice', '--yes'];
export const KERNEL_TOO = ['--irqs', '--workqueues', '--kernel-threads'];

const FILES =
  'find /etc/systemd /run/systemd/system /run/systemd/system.control /run/systemd/transient /etc/slicectl /run/slicectl/reservations -type f \\( -path "*slicectl*" -o -name "50-Allowed*" \\) 2>/dev/null; true';

const FOLDERS = [
  '/etc/slicectl',
  '/run/slicectl/reservations',
  ...['slice', 'payload.slice', 'payload-.slice', 'init.scope', 'multi-user.target', 'busy-root.service'].map(
    (unit) => `/etc/systemd/system/${unit}.d`,
  ),
].join(' ');

/** Threads of processes that may run on payload CPUs, outside of the payload slice: `cgroup comm`. */
export function strangers(masks: readonly Mask[]): readonly string[] {
  return masks
    .filter(({ kind, cgroup }) => kind === 'user' && !cgroup.startsWith('/payload.slice'))
    .map(({ cgroup, comm }) => `${cgroup} ${comm}`);
}

/** No stranger may run there, and none was seen there for a while. */
export async function expectAlone(lab: CpuLab): Promise<void> {
  expect(strangers(await lab.whoMayRunOn(PAYLOAD))).toEqual([]);
  const ran = (await lab.seenRunning(3)).filter(({ cpus }) => cpus.some((cpu) => cpu >= 4));
  expect(ran.filter(({ cgroup }) => !cgroup.startsWith('/payload.slice'))).toEqual([]);
}

/** No file and no folder of ours. */
export async function expectNoFiles(lab: CpuLab): Promise<void> {
  expect(await lab.out(`${FILES}; ls -d ${FOLDERS} 2>/dev/null; true`)).toBe('');
}

/** As it was before anything: nothing of ours, and no user task with fewer CPUs than all. */
export async function expectNoTrace(lab: CpuLab): Promise<void> {
  await expectNoFiles(lab);
  const narrow = (await lab.masks()).filter(({ kind, allowed }) => kind === 'user' && allowed.length < 8);
  expect(narrow.map(({ cgroup, comm, allowed }) => `${cgroup} ${comm} ${allowed}`)).toEqual([]);
}
