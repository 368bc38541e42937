import { printIndexSet } from '../../core/cpuset.ts';
import { sweepLeases } from '../../cpus/lease/lease.ts';
import type { Lease } from '../../cpus/lease/record.ts';
import { openLeases } from '../../cpus/lease/store.ts';
import { HOST } from '../../host/paths.ts';
import { readSelf } from '../../host/self.ts';
import { Launcher } from '../../job/launcher.ts';
import { print } from '../output.ts';

/** A user without a session has no leases. */
async function overLeases(): Promise<readonly Lease[]> {
  const self = readSelf();
  return self.uid === 0 || self.env.XDG_RUNTIME_DIR ? sweepLeases(openLeases(self, HOST)) : [];
}

/** `slicectl sweep`: what went, one name a line. */
export async function sweep(options: { user?: boolean; system?: boolean; json?: boolean }): Promise<number> {
  const launcher = await Launcher.open(
    options.user ? { manager: 'user' } : options.system ? { manager: 'system' } : {},
  );
  try {
    const swept = await launcher.sweep();
    const leases = (await overLeases()).map((lease) => `lease of CPUs ${printIndexSet(lease.cpus)}`);
    if (options.json) print(`${JSON.stringify({ backend: launcher.backend, swept: [...swept, ...leases] })}\n`);
    else print([...swept, ...leases].map((name) => `${name}\n`).join(''));
    return 0;
  } finally {
    launcher.close();
  }
}
