import type { CpuFacts } from './model.ts';

type Kernel = CpuFacts['kernel'];

export function isBefore(kernel: Kernel, [major, minor]: readonly [number, number]): boolean {
  return kernel[0] < major || (kernel[0] === major && kernel[1] < minor);
}

/**
 * Whether a task has its own affinity still when the CPUs of its cpuset change, or it comes into another one: a change
 * overwrote it for good before (da019032819a, sched: Enforce user requested affinity).
 */
export function keepsAffinity(kernel: Kernel): boolean {
  return !isBefore(kernel, [6, 2]);
}
