import type { FileContext } from '../core/properties/row.ts';
import { PROPERTIES } from '../core/properties/table.ts';
import type { ControlFiles } from '../host/control-files.ts';
import type { SettledLimits } from './backend.ts';
import type { SystemdLink } from './systemd-link.ts';

/**
 * Sets limits of a new slice once more where the kernel holds something else: a drop-in for all slices (`slice.d`, as
 * `slicectl cpus reserve` writes one) counts before what StartTransientUnit says, and after what SetUnitProperties writes
 * (seen on 257). What has no file there is left to the proof.
 */
export async function insist(
  link: SystemdLink,
  slice: string,
  files: ControlFiles,
  plan: SettledLimits,
): Promise<void> {
  if (files.version === 1) return;
  const context: FileContext = { limits: plan.limits, devices: plan.devices };
  const lost = PROPERTIES.flatMap((row) => {
    const value = plan.limits[row.name];
    if (row.scope !== 'group' || value === undefined) return [];
    const isReplaced = (row.v2?.write(value, context) ?? []).some(({ controller, file, text, shows }) => {
      const content = files.read(controller, file);
      return content !== undefined && !(shows ? shows(content) : content.trim() === text);
    });
    return isReplaced ? row.dbus(value) : [];
  });
  if (lost.length > 0) await link.persist(({ manager }) => manager.setUnitProperties(slice, true, lost));
}
