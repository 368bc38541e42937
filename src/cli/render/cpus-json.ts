import { type IndexSet, printIndexSet } from '../../core/cpuset.ts';
import type { CpuReport } from '../../cpus/show.ts';
import type { BootSet } from '../../host/kernel-line.ts';
import type { Topology } from '../../host/topology.ts';

const text = (set: IndexSet): string => printIndexSet(set);
const maybe = (set: IndexSet | undefined): string | null => (set === undefined ? null : printIndexSet(set));
const boot = (set: BootSet | undefined) =>
  set === undefined ? null : { cpus: text(set.cpus), flags: set.flags, text: set.text };

/**
 * The report as one document, version 1. Sets are lists in the kernel's form (`0-3,8`, empty for none), counts are
 * numbers, and null stands for what this machine does not tell.
 */
export function showJson(report: CpuReport): string {
  const { topology, kernelLine, groups, interrupts, irqbalance, workqueues, kubelet } = report;
  const facts = {
    version: 1,
    roles: {
      payload: text(report.payload),
      system: text(report.system),
      reservations: report.reservations.map(({ name, cpus }) => ({ name, cpus: text(cpus) })),
    },
    leases: report.leases.map(({ cpus, unit, group, command, maker, since, reservation }) => ({
      cpus: text(cpus),
      unit: unit ?? null,
      cgroup: group?.cgroup ?? null,
      command,
      pid: maker.pid,
      since,
      reservation: reservation ?? null,
    })),
    topology: topologyFacts(topology),
    boot: {
      isolcpus: boot(kernelLine.isolcpus),
      nohzFull: boot(kernelLine.nohzFull),
      rcuNocbs: boot(kernelLine.rcuNocbs),
      irqaffinity: boot(kernelLine.irqaffinity),
      kthreadCpus: boot(kernelLine.kthreadCpus),
      systemdCpuAffinity: boot(kernelLine.systemdCpuAffinity),
      maxcpus: kernelLine.maxcpus ?? null,
      nosmt: kernelLine.nosmt ?? null,
      problems: kernelLine.problems,
    },
    managerAffinity: report.managerAffinity && {
      cpus: text(report.managerAffinity.cpus),
      path: report.managerAffinity.path,
    },
    cpuset: groups && {
      version: groups.version,
      root: text(groups.root),
      isolated: text(groups.isolated),
      groups: groups.groups.map(({ path, unit, asked, effective, partition }) => ({
        path,
        unit: unit ?? null,
        asked: maybe(asked),
        effective: text(effective),
        partition: partition === undefined ? null : { type: partition.type, invalid: partition.invalid ?? null },
      })),
    },
    access: report.access.map(({ cpus, groups: open }) => ({ cpus: text(cpus), groups: open })),
    units:
      report.units?.map(({ name, activeState, allowed, effective, affinity }) => ({
        name,
        activeState,
        allowedCpus: text(allowed),
        effectiveCpus: text(effective),
        cpuAffinity: text(affinity),
      })) ?? null,
    pinned: report.pinned.map(({ cgroup, allowed, threads, names }) => ({
      cgroup,
      allowed: text(allowed),
      threads,
      names,
    })),
    interrupts: {
      default: maybe(interrupts.defaultAffinity),
      lines: interrupts.lines.map(({ number, name, source, counts, affinity, effective }) => ({
        number,
        name,
        source,
        affinity: maybe(affinity),
        effective: maybe(effective),
        counts: Object.fromEntries(counts),
      })),
    },
    irqbalance: irqbalance && {
      running: irqbalance.isRunning,
      banned: irqbalance.banned.map(({ path, variable, cpus, text: written }) => ({
        path,
        variable,
        cpus: maybe(cpus),
        text: written,
      })),
    },
    workqueues: workqueues && {
      cpumask: text(workqueues.cpumask),
      isolated: text(workqueues.isolated),
      requested: maybe(workqueues.requested),
      queues: workqueues.queues.map(({ name, cpumask }) => ({ name, cpumask: text(cpumask) })),
    },
    kubelet: kubelet && {
      running: kubelet.isRunning,
      version: kubelet.version,
      policy: kubelet.policy,
      policyOptions: kubelet.policyOptions,
      topologyPolicy: kubelet.topologyPolicy,
      reserved: maybe(kubelet.reserved),
      config: kubelet.configPath,
      sources: kubelet.sources,
      misspelt: kubelet.misspelt,
      state: kubelet.state && {
        path: kubelet.state.path,
        policy: kubelet.state.policy,
        shared: text(kubelet.state.shared),
        exclusive: kubelet.state.exclusive.map(({ pod, container, cpus }) => ({ pod, container, cpus: text(cpus) })),
      },
      problems: kubelet.problems,
    },
  };
  return `${JSON.stringify(facts, (_, value: unknown) => (value === undefined ? null : value), 2)}\n`;
}

function topologyFacts(topology: Topology) {
  return {
    possible: text(topology.possible),
    present: text(topology.present),
    online: text(topology.online),
    offline: text(topology.offline),
    isolated: text(topology.isolated),
    nohzFull: text(topology.nohzFull),
    bootCpu: topology.bootCpu,
    smtControl: topology.smtControl,
    nodes: topology.nodes.map(({ id, cpus, memoryBytes }) => ({
      id,
      cpus: text(cpus),
      memoryBytes: Number(memoryBytes),
    })),
    caches: topology.caches.map(({ level, bytes, cpus }) => ({
      level,
      bytes: bytes === undefined ? null : Number(bytes),
      cpus: text(cpus),
    })),
    cores: topology.cores.map((core) => ({ ...core, cpus: text(core.cpus) })),
  };
}
