import type { LaunchOptions } from './job/launch.ts';
import { Launcher, type LauncherOptions } from './job/launcher.ts';
import type { Job } from './job/running.ts';

export type { BackendKind, Plan, Step } from './backend/backend.ts';
export type { IndexSet } from './core/cpuset.ts';
export { indexSetFromBytes, indexSetToBytes, parseIndexSet, printIndexSet } from './core/cpuset.ts';
export { type ErrorCode, SlicectlError } from './core/errors.ts';
export { cpuRequestToWeight, parseCpuQuantity, sharesToWeight } from './core/kubernetes.ts';
export { type AskedLimit, type AskedLimits, type LimitsInput, limits, printLimit } from './core/limits.ts';
export type { DeviceAmount, LimitName, Limits, LimitValue, OomPolicy } from './core/properties/row.ts';
export { type Amount, type Machine, parseSize, printSize } from './core/quantity.ts';
export { parseTimespan, printTimespan } from './core/timespan.ts';
export { childSlice, escapeUnitText, sliceLevels, sliceName, slicePath, unitName } from './core/unit-name.ts';
export { VERSION } from './core/version.ts';
export type { HostPaths } from './host/paths.ts';
export type { LimitEvent } from './job/cause.ts';
export type { Figures } from './job/figures.ts';
export type { Descriptor, Exit } from './job/gate.ts';
export type { LaunchOptions, Placement } from './job/launch.ts';
export { Launcher, type LauncherOptions } from './job/launcher.ts';
export type { InForce } from './job/proof.ts';
export { type Receipt, type ReceiptLimit, receiptJson } from './job/receipt.ts';
export type { Job, Leftover } from './job/running.ts';
export type { DetachedService, ServiceOptions } from './job/service.ts';

/**
 * Starts one command under limits, over a connection of its own. For more than one job open a {@link Launcher}.
 *
 * @example
 * ```ts
 * const job = await launch('make', ['-j4'], { limits: { CPUQuota: '150%', MemoryMax: '2G' } });
 * const receipt = await job.result;
 * console.log(receipt.cause, receipt.figures.memory.peakBytes);
 * ```
 */
export async function launch(
  command: string,
  args: readonly string[] = [],
  options: LaunchOptions & LauncherOptions = {},
): Promise<Job> {
  const launcher = await Launcher.open(options);
  try {
    const job = await launcher.launch(command, args, options);
    job.result.then(
      () => launcher.close(),
      () => launcher.close(),
    );
    return job;
  } catch (error) {
    launcher.close();
    throw error;
  }
}
