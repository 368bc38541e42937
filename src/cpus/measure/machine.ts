import type { IndexSet } from '../../core/cpuset.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { MachineSurroundings } from './model.ts';

/** Reads what holds for the whole machine; `loadBefore` is that at the beginning. */
export function readMachineSurroundings(paths: HostPaths, online: IndexSet, loadBefore: number): MachineSurroundings {
  return {
    kernel: readIfThere(`${paths.proc}/sys/kernel/osrelease`)?.trim() ?? '',
    virtual: virtualBy(paths),
    clocksource: readIfThere(`${paths.sys}/devices/system/clocksource/clocksource0/current_clocksource`)?.trim(),
    isRealtime: readIfThere(`${paths.sys}/kernel/realtime`)?.trim() === '1',
    load: [loadBefore, readLoad(paths)],
    cpusOnline: online.length,
  };
}

/** The load average of the last minute. */
export function readLoad({ proc }: HostPaths): number {
  return Number.parseFloat(readIfThere(`${proc}/loadavg`) ?? '') || 0;
}

/** Makers of virtual machines by what they write into DMI, as systemd-detect-virt knows them (basic/virt.c). */
const BY_DMI: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^KVM/, 'KVM'],
  [/^OpenStack/, 'KVM'],
  [/^QEMU/, 'QEMU'],
  [/^VMware|^VMW/, 'VMware'],
  [/^innotek GmbH|^VirtualBox|^Oracle Corporation/, 'VirtualBox'],
  [/^Xen/, 'Xen'],
  [/^Bochs/, 'Bochs'],
  [/^Parallels/, 'Parallels'],
  [/^BHYVE/, 'bhyve'],
  [/^Hyper-V/, 'Hyper-V'],
  [/^Apple Virtualization/, 'Apple Virtualization'],
  [/^Google Compute Engine/, 'Google Compute Engine'],
];

/**
 * What runs this machine as a guest: `KVM`, or `a hypervisor` where it has no name; undefined on hardware, as far as
 * processor, firmware and Xen say.
 */
export function virtualBy({ proc, sys }: HostPaths): string | undefined {
  const isMarked = /^flags\s*:.*\bhypervisor\b/m.test(readIfThere(`${proc}/cpuinfo`) ?? '');
  const type = readIfThere(`${sys}/hypervisor/type`)?.trim();
  // Xen's own first domain has the hardware.
  if (type === 'xen' && !/control_d/.test(readIfThere(`${proc}/xen/capabilities`) ?? '')) return 'Xen';
  const words = ['product_name', 'sys_vendor', 'board_vendor', 'bios_vendor'].map(
    (name) => readIfThere(`${sys}/class/dmi/id/${name}`)?.trim() ?? '',
  );
  const named = BY_DMI.find(([pattern]) => words.some((word) => pattern.test(word)))?.[1];
  const isX86 = /^flags\s*:/m.test(readIfThere(`${proc}/cpuinfo`) ?? '');
  // On x86 the processor says whether there is one, and firmware only which; Oracle makes hardware too.
  if (isMarked) return named ?? 'a hypervisor';
  if (isX86) return undefined;
  return named ?? (readIfThere(`${proc}/device-tree/hypervisor/compatible`) === undefined ? undefined : 'a hypervisor');
}
