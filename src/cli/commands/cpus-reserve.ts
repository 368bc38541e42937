import { assertNobodyAtIt } from '../../change/journal.ts';
import { badInput, quote } from '../../core/errors.ts';
import { readCpuFacts } from '../../cpus/facts.ts';
import { type JobCpus, jobsOf } from '../../cpus/lease/jobs.ts';
import { openLeases, readLeases } from '../../cpus/lease/store.ts';
import type { PartitionType } from '../../cpus/model.ts';
import type { PickRequest } from '../../cpus/pick.ts';
import { planReserve, type ReserveRequest } from '../../cpus/reserve.ts';
import { KUBEPODS } from '../../cpus/shares.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { HOST } from '../../host/paths.ts';
import { readSelf, type Self } from '../../host/self.ts';
import { type CarryOutOptions, carryOut, contextOf, cpuMeans, type Means } from './change.ts';
import { cpuHostOf } from './cpu-host.ts';
import { cpuListOf } from './cpu-list.ts';
import { whenFree } from './when-free.ts';

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

/** A hook or a starting unit waits for this, and has 90 seconds by systemd's default (DefaultTimeoutStartSec=). */
const PATIENCE_MS = 60_000;

/**
 * `slicectl cpus reserve`. With `--while-unit` it is called where things start, several at once, and waits its turn; with
 * `--json` only before it prints, so that there is one document.
 */
export async function reserve(options: ReserveOptions): Promise<number> {
  const self = readSelf();
  const name = nameOf(options);
  const host = await openHost({ self });
  try {
    const means = await cpuMeans(host);
    const once = (): Promise<number> => reserveOnce(name, host, means, options, self);
    if (options.whileUnit === undefined || options.dryRun) return await once();
    const { store } = contextOf(host, means);
    const look = async (): Promise<void> => assertNobodyAtIt(store);
    if (!options.json) return await whenFree(() => look().then(once), PATIENCE_MS);
    await whenFree(look, PATIENCE_MS);
    return await once();
  } finally {
    closeHost(host);
  }
}

async function reserveOnce(
  name: string,
  host: DriverHost,
  means: Means,
  options: ReserveOptions,
  self: Self,
): Promise<number> {
  const cpuHost = cpuHostOf(host);
  const facts = await readCpuFacts(cpuHost);
  const last = facts.topology.possible.at(-1) ?? 0;
  const plan = await planReserve(facts, cpuHost, { name, pick: picked(options, last), ...rest(options, self) });
  return carryOut(plan, host, means, options);
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
    ...(cpus !== undefined && { cpus: cpuListOf('--cpus', cpus, last) }),
    ...(cores !== undefined && { cores: numberOf('--cores', cores) }),
    ...(numaNode !== undefined && { node: numberOf('--numa-node', numaNode) }),
    ...(wholeCores !== undefined && { wholeCores }),
    ...(llc !== undefined && { sameCache: llc }),
    ...(avoid !== undefined && { avoid: cpuListOf('--avoid', avoid, last) }),
  };
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

function leases(self: Self): readonly JobCpus[] {
  return jobsOf(readLeases(openLeases(self, HOST)));
}
