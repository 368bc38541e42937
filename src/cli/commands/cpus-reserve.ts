import { parseKernelList } from '../../core/cpu-list.ts';
import { type IndexSet, MAX_INDEX } from '../../core/cpuset.ts';
import { badInput, quote } from '../../core/errors.ts';
import { readCpuFacts } from '../../cpus/facts.ts';
import { openLeases, readLeases } from '../../cpus/lease/store.ts';
import type { PartitionType } from '../../cpus/model.ts';
import type { PickRequest } from '../../cpus/pick.ts';
import type { Lease } from '../../cpus/refusals.ts';
import { planReserve, type ReserveRequest } from '../../cpus/reserve.ts';
import { KUBEPODS } from '../../cpus/shares.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import { HOST } from '../../host/paths.ts';
import { readSelf, type Self } from '../../host/self.ts';
import { type CarryOutOptions, carryOut, cpuMeans } from './change.ts';
import { cpuHostOf } from './cpu-host.ts';

export interface ReserveOptions extends CarryOutOptions {
  readonly for?: string;
  readonly cpus?: string;
  readonly cores?: string;
  readonly numaNode?: string;
  readonly wholeCores?: boolean;
  readonly llc?: boolean;
  readonly avoid?: string;
  readonly keep?: readonly string[];
  readonly memoryNodes?: boolean;
  readonly partition?: PartitionType;
  readonly irqs?: boolean;
  readonly workqueues?: boolean;
  readonly kernelThreads?: boolean;
  readonly kubelet?: boolean;
  readonly drained?: boolean;
  readonly whileUnit?: string;
  readonly runtime?: boolean;
}

/** `slicectl cpus reserve`. */
export async function reserve(options: ReserveOptions): Promise<number> {
  const self = readSelf();
  const name = nameOf(options);
  const host = await openHost({ self });
  try {
    const cpuHost = cpuHostOf(host);
    const facts = await readCpuFacts(cpuHost);
    const last = facts.topology.possible.at(-1) ?? 0;
    const plan = await planReserve(facts, cpuHost, { name, pick: picked(options, last), ...rest(options, self) });
    return await carryOut(plan, host, await cpuMeans(host), options);
  } finally {
    closeHost(host);
  }
}

/** With `--kubelet` the payload is that of the pods. */
function nameOf({ for: name, kubelet }: ReserveOptions): string {
  if (kubelet && name !== undefined && name !== KUBEPODS) {
    throw badInput(`--kubelet reserves for ${KUBEPODS}, not for ${quote(name)}`, 'leave --for out');
  }
  if (kubelet) return KUBEPODS;
  if (name === undefined) throw badInput('the payload slice is not said', 'write for example --for db.slice');
  return name;
}

function picked(options: ReserveOptions, last: number): PickRequest {
  const { cpus, cores, numaNode, wholeCores, llc, avoid } = options;
  return {
    ...(cpus !== undefined && { cpus: listOf('--cpus', cpus, last) }),
    ...(cores !== undefined && { cores: numberOf('--cores', cores) }),
    ...(numaNode !== undefined && { node: numberOf('--numa-node', numaNode) }),
    ...(wholeCores !== undefined && { wholeCores }),
    ...(llc !== undefined && { sameCache: llc }),
    ...(avoid !== undefined && { avoid: listOf('--avoid', avoid, last) }),
  };
}

/** As the kernel reads lists. A number that this machine does not have is refused later, with both sets. */
function listOf(option: string, text: string, last: number): IndexSet {
  return parseKernelList(text, option, /n|all/i.test(text) ? last : MAX_INDEX);
}

function numberOf(option: string, text: string): number {
  if (!/^\d{1,6}$/.test(text))
    throw badInput(`${option} ${quote(text)} is not a number`, `write for example ${option} 1`);
  return Number(text);
}

function rest(options: ReserveOptions, self: Self): Omit<ReserveRequest, 'name' | 'pick'> {
  const { keep = [], partition, irqs, workqueues, kernelThreads, memoryNodes, kubelet, drained, runtime } = options;
  return {
    keep,
    memoryNodes: memoryNodes ?? false,
    partition,
    interrupts: irqs ?? false,
    workqueues: workqueues ?? false,
    kernelThreads: kernelThreads ?? false,
    kubelet: kubelet ?? false,
    drained: drained ?? false,
    whileUnit: options.whileUnit,
    runtime: runtime ?? false,
    leases: self.uid === 0 ? leases(self) : [],
  };
}

function leases(self: Self): readonly Lease[] {
  return readLeases(openLeases(self, HOST)).held.map(({ command, unit, cpus, reservation }) => ({
    name: `the job ${unit ?? quote(command)}`,
    cpus,
    within: reservation,
  }));
}
