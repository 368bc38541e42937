import { intersection, printIndexSet } from '../../core/cpuset.ts';
import type { AuditReport } from '../../cpus/audit/audit.ts';
import type { Activity } from '../../cpus/audit/did-run.ts';
import type { WatchEvent } from '../../cpus/audit/watch.ts';

/** The report as one document, version 1. Sets are lists in the kernel's form, times are milliseconds. */
export function auditJson(report: AuditReport): string {
  return `${JSON.stringify(auditFacts(report), undefined, 2)}\n`;
}

export function auditFacts({ records, facts, wanted, holds, findings, activity, isClean }: AuditReport) {
  return {
    version: 1,
    clean: isClean,
    system: printIndexSet(intersection(wanted.system, facts.topology.online)),
    reservations: records.map(({ name, cpus, partition, runtime }) => ({
      name,
      payload: printIndexSet(cpus),
      partition: partition ?? null,
      runtime,
      holds: (holds.find((one) => one.name === name)?.open ?? 0) === 0,
    })),
    findings: findings.map(({ kind, severity, subject, what, cause, cure, isFixable }) => ({
      kind,
      severity,
      subject,
      what,
      cause,
      cure,
      fixable: isFixable,
    })),
    activity: activity === undefined ? null : activityFacts(activity),
  };
}

function activityFacts({ windowMs, looks, cpus, tasks, interrupts, cpuInterrupts, softirqs }: Activity) {
  return {
    windowMs: Math.round(windowMs),
    looks,
    cpus: [...cpus].map(([cpu, { queue, tasks: tasksMs, interrupts: interruptsMs, idle, steal }]) => ({
      cpu,
      tasksMs,
      interruptsMs,
      idleMs: idle,
      stealMs: steal,
      waitedMs: queue === undefined ? null : Number(queue.waitedNs) / 1e6,
      turns: queue === undefined ? null : Number(queue.turns),
    })),
    tasks: tasks.map(({ task, ranMs, cpus: where, involuntary }) => ({
      tid: task.tid,
      pid: task.pid,
      name: task.name,
      kind: task.kind,
      cgroup: task.cgroup ?? null,
      ranMs,
      ranMsByCpu: Object.fromEntries(where),
      involuntarySwitches: involuntary,
    })),
    interrupts: interrupts.map(({ number, name, counts }) => ({ number, name, counts: Object.fromEntries(counts) })),
    cpuInterrupts: Object.fromEntries(cpuInterrupts),
    softirqs: Object.fromEntries(softirqs),
  };
}

/** One line of `--watch --json`. */
export function watchJson({ at, state, finding }: WatchEvent): string {
  const { kind, severity, subject, what, cause, cure, isFixable } = finding;
  return `${JSON.stringify({ at: at.toISOString(), state, kind, severity, subject, what, cause, cure, fixable: isFixable })}\n`;
}
