import { applyPartitions, applyRecords } from '../../cpus/apply.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import { readSelf } from '../../host/self.ts';
import { print, tell } from '../output.ts';
import { visible } from '../render/visible.ts';
import { contextOf, cpuMeans } from './change.ts';
import { cpuHostOf } from './cpu-host.ts';
import { whenFree } from './when-free.ts';

export interface ApplyOptions {
  readonly quiet?: boolean;
  readonly partitions?: boolean;
}

/** A reservation widens or narrows many units, each with a proof. */
const PATIENCE_MS = 600_000;

const NOT_HELD = 3;

/** `slicectl cpus apply`: 0 where all reservations hold, 3 where not. */
export async function applyAll({ quiet, partitions = false }: ApplyOptions): Promise<number> {
  const host = await openHost({ self: readSelf() });
  try {
    const context = contextOf(host, await cpuMeans(host));
    const at = cpuHostOf(host);
    const once = () => (partitions ? applyPartitions : applyRecords)(at, context);
    // Quiet: systemd's unit, after which nobody tries again.
    const { done, problems } = await (quiet ? whenFree(once, PATIENCE_MS) : once());
    if (!quiet) print(done.map((line) => `${visible(line)}\n`).join(''));
    for (const problem of problems) tell(`slicectl: not done: ${visible(problem)}\n`);
    if (!quiet && done.length === 0 && problems.length === 0) print('all is as the reservations want it\n');
    return problems.length > 0 ? NOT_HELD : 0;
  } finally {
    closeHost(host);
  }
}
