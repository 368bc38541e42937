import { intersection, union } from '../core/cpuset.ts';
import { type CgroupLayout, readLayout } from '../host/cgroups.ts';
import { readIfThere } from '../host/files.ts';
import { readBannedCpus, readInterrupts, readMovability, readWorkqueues } from '../host/interrupts.ts';
import { readKernelLine } from '../host/kernel-line.ts';
import { readManagerAffinity } from '../host/manager-affinity.ts';
import type { HostPaths } from '../host/paths.ts';
import { readTasks, type Task } from '../host/tasks.ts';
import { readTopology, type Topology } from '../host/topology.ts';
import { findUnitFiles } from '../host/unit-files.ts';
import { readGroupTree } from './groups.ts';
import { readKernelBefore } from './kernel-before.ts';
import { kubeletArguments, readKubeletCpus } from './kubelet/read.ts';
import type { BootFacts, CpuFacts, IrqbalanceFacts } from './model.ts';
import { isBootUnitInstalled, ownAgainUnit, ownBootUnit } from './own-files.ts';
import { readRecords } from './record.ts';
import type { CpuHost } from './show.ts';
import { readUnitFacts } from './unit-facts.ts';
import { readUnmoved } from './unmoved.ts';

/** Reads all that reserve, release and audit decide by. `E_SYNTAX` for a file of ours that cannot be read. */
export async function readCpuFacts(host: CpuHost): Promise<CpuFacts> {
  const { paths, tree, system } = host;
  const records = readRecords(tree);
  const topology = readTopology(paths);
  const last = topology.possible.at(-1) ?? 0;
  const tasks = readTasks(paths);
  const layout = readLayout(paths);
  const interrupts = readInterrupts(paths, last);
  return {
    topology,
    kernelLine: readKernelLine(paths, last),
    managerAffinity: readManagerAffinity(tree),
    kernel: kernelVersion(paths),
    systemd: (await system?.persist(({ manager }) => manager.version()))?.major,
    groups: readGroupTree(paths, topology.online),
    cgroups: layout.mode,
    hasCpuset: hasCpuset(layout),
    units: system === undefined ? [] : await readUnitFacts(system, tree, records.length > 0),
    tasks,
    interrupts,
    movability: readMovability(paths, interrupts),
    unmoved: readUnmoved(tree),
    workqueues: readWorkqueues(paths, last),
    kernelBefore: readKernelBefore(tree),
    kubelet: await readKubeletCpus(tree, kubeletArguments(paths, tasks)),
    records,
    irqbalance: irqbalanceOf(host, tasks, topology),
    boot: bootOf(host),
  };
}

function hasCpuset({ v2 }: CgroupLayout): boolean {
  const controllers = v2 && readIfThere(`${v2.mount}/cgroup.controllers`);
  return controllers?.trim().split(' ').includes('cpuset') ?? false;
}

/** `6.12.107+deb13-amd64` → `[6, 12]`. */
function kernelVersion({ proc }: HostPaths): readonly [number, number] {
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)/.exec(readIfThere(`${proc}/sys/kernel/osrelease`) ?? '') ?? [];
  return [Number(major), Number(minor)];
}

function irqbalanceOf(
  { paths, tree }: CpuHost,
  tasks: readonly Task[],
  topology: Topology,
): IrqbalanceFacts | undefined {
  const isRunning = tasks.some(({ name, kind }) => name === 'irqbalance' && kind === 'user');
  if (!isRunning && findUnitFiles(tree, 'irqbalance.service') === undefined) return undefined;
  const lists = readBannedCpus(paths, topology.possible.at(-1) ?? 0) ?? [];
  return { isRunning, banned: intersection(union(...lists.map(({ cpus }) => cpus ?? [])), topology.possible) };
}

function bootOf({ tree, program = ['/usr/bin/env', 'slicectl'] }: CpuHost): BootFacts {
  const againText = ownAgainUnit(tree);
  return { isInstalled: isBootUnitInstalled(tree), ownText: ownBootUnit(tree), againText, program };
}
