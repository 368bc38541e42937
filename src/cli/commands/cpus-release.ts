import { readCpuFacts } from '../../cpus/facts.ts';
import { planRelease } from '../../cpus/release.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { readSelf } from '../../host/self.ts';
import { type CarryOutOptions, carryOut, cpuMeans } from './change.ts';
import { cpuHostOf } from './cpu-host.ts';

export interface ReleaseOptions extends CarryOutOptions {
  readonly ended?: boolean;
}

/** `slicectl cpus release NAME`. */
export async function release(name: string, options: ReleaseOptions): Promise<number> {
  const host = await openHost({ self: readSelf() });
  try {
    if (!options.ended) return await releaseNow(host, name, options, false);
    const { releaseEnded } = await import('./cpus-release-ended.ts');
    return await releaseEnded(host, name, () => releaseNow(host, name, options, true));
  } finally {
    closeHost(host);
  }
}

async function releaseNow(
  host: DriverHost,
  name: string,
  options: ReleaseOptions,
  isStopping: boolean,
): Promise<number> {
  const cpuHost = cpuHostOf(host);
  const plan = planRelease(await readCpuFacts(cpuHost), cpuHost, name, isStopping);
  return carryOut(plan, host, await cpuMeans(host), options);
}
