import { readCpuFacts } from '../../cpus/facts.ts';
import { planRelease } from '../../cpus/release.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import { readSelf } from '../../host/self.ts';
import { type CarryOutOptions, carryOut, cpuMeans } from './change.ts';
import { cpuHostOf } from './cpu-host.ts';

export type ReleaseOptions = CarryOutOptions;

/** `slicectl cpus release NAME`. */
export async function release(name: string, options: ReleaseOptions): Promise<number> {
  const host = await openHost({ self: readSelf() });
  try {
    const cpuHost = cpuHostOf(host);
    const plan = planRelease(await readCpuFacts(cpuHost), cpuHost, name);
    return await carryOut(plan, host, await cpuMeans(host), options);
  } finally {
    closeHost(host);
  }
}
