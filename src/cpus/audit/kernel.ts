import { type IndexSet, intersection, isSubset, printIndexSet, union } from '../../core/cpuset.ts';
import type { Interrupt } from '../../host/interrupts.ts';
import type { Task } from '../../host/tasks.ts';
import type { Finding } from '../finding.ts';
import { stayingLines } from '../kernel-steps.ts';
import { UNMOVED_PATH, unmovedReason } from '../unmoved.ts';
import { kernelRunners } from './can-run.ts';
import type { Activity } from './did-run.ts';
import { type AuditView, payloadOf } from './view.ts';
import { countText, durationText, listed } from './words.ts';

const FIX = 'slicectl cpus audit --fix';

/** What of the kernel's own work can come to payload CPUs: threads, device interrupts, unbound workers. */
export function kernelFindings(view: AuditView, activity: Activity | undefined): Finding[] {
  if (view.records.length === 0) return [];
  return [...threadFindings(view, activity), ...workqueueFindings(view), ...interruptFindings(view, activity)];
}

function threadFindings(view: AuditView, activity: Activity | undefined): Finding[] {
  const { wanted } = view;
  const cpus = payloadOf(view);
  const { movable, fixed, perCpu } = kernelRunners(view, cpus);
  const on = `payload CPUs ${printIndexSet(cpus)}`;
  const base = (tasks: readonly Task[]) => ({ subject: namesOf(tasks), isFixable: false });
  const ran = (tasks: readonly Task[]) => ranText(tasks, activity);
  const found: Finding[] = [];
  if (movable.length > 0) {
    const isAsked = wanted.kernelThreads !== undefined;
    found.push({
      ...base(movable),
      kind: 'kernel-threads-movable',
      severity: isAsked ? 'breach' : 'info',
      what: `${countText(movable.length, 'movable kernel thread')} may run on ${on}${ran(movable)}`,
      cause: isAsked
        ? 'they were started since, or somebody moved them back'
        : 'the reservation does not ask for them to be moved',
      cure: isAsked ? FIX : 'slicectl cpus reserve … --kernel-threads',
      isFixable: isAsked,
    });
  }
  if (fixed.length > 0) {
    found.push({
      ...base(fixed),
      kind: 'kernel-threads-fixed',
      severity: 'unmovable',
      what: `${countText(fixed.length, 'kernel thread')} that may run on several CPUs, ${on} among them, cannot be moved${ran(fixed)}`,
      cause: 'the kernel refuses (PF_NO_SETAFFINITY): workers of workqueues and their rescuers',
      cure: wanted.workqueues === undefined ? 'slicectl cpus reserve … --workqueues moves most of the workers' : '',
    });
  }
  if (perCpu.length > 0) {
    found.push({
      ...base(perCpu),
      kind: 'kernel-threads-per-cpu',
      severity: 'unmovable',
      what: `${countText(perCpu.length, 'kernel thread')} belong${perCpu.length === 1 ? 's' : ''} to one of ${on}${ran(perCpu)}`,
      cause: 'each CPU has its own: cpuhp, migration, ksoftirqd, kworker/N',
      cure: '',
    });
  }
  return found;
}

/** By what is before the CPU's number: `ksoftirqd`, `kworker`. */
function namesOf(tasks: readonly Task[]): string {
  return listed(tasks.map(({ name }) => name.replace(/[/:].*$/, '')));
}

function ranText(tasks: readonly Task[], activity: Activity | undefined): string {
  if (activity === undefined) return '';
  const tids = new Set(tasks.map(({ tid }) => tid));
  const ranMs = activity.tasks.filter(({ task }) => tids.has(task.tid)).reduce((sum, one) => sum + one.ranMs, 0);
  return ranMs < 0.05 ? '' : `; they ran there for ${durationText(ranMs)}`;
}

function workqueueFindings({ facts, wanted, ...view }: AuditView): Finding[] {
  const { workqueues } = facts;
  if (workqueues === undefined) return [];
  const payload = payloadOf({ facts, wanted, ...view });
  if (wanted.workqueues === undefined) {
    if (intersection(workqueues.cpumask, payload).length === 0) return [];
    return [
      {
        kind: 'workqueues-wide',
        severity: 'info',
        subject: 'workqueues',
        what: `unbound workers of the kernel may run on ${printIndexSet(workqueues.cpumask)}`,
        cause: 'the reservation does not ask for them to be moved',
        cure: 'slicectl cpus reserve … --workqueues',
        isFixable: false,
      },
    ];
  }
  const wide = [{ name: 'cpumask', cpumask: workqueues.cpumask }, ...workqueues.queues].filter(
    ({ cpumask }) => intersection(cpumask, payload).length > 0,
  );
  const [first] = wide;
  if (first === undefined) return [];
  // Queues with a mask of their own run where that and the common one meet.
  if (isSubset(workqueues.cpumask, wanted.workqueues)) return [];
  return [
    {
      kind: 'workqueues-wide',
      severity: 'breach',
      subject: 'workqueues',
      what: `unbound workers of the kernel may run on ${printIndexSet(workqueues.cpumask)}, not on ${printIndexSet(intersection(wanted.workqueues, facts.topology.online))} alone`,
      cause: 'somebody wrote /sys/devices/virtual/workqueue/cpumask, or it is as it was at boot',
      cure: FIX,
      isFixable: true,
    },
  ];
}

function interruptFindings(view: AuditView, activity: Activity | undefined): Finding[] {
  const { facts, wanted, traces } = view;
  const payload = payloadOf(view);
  const on = `payload CPUs ${printIndexSet(payload)}`;
  const lines = facts.interrupts.lines.filter(
    ({ affinity, name }) => name !== '' && intersection(affinity ?? [], payload).length > 0,
  );
  const came = (some: readonly Interrupt[]): string => cameText(some, activity);
  const subject = (some: readonly Interrupt[]): string => listed(some.map(({ number, name }) => `${number} (${name})`));
  if (wanted.interrupts === undefined) {
    if (lines.length === 0) return [];
    return [
      {
        kind: 'interrupts-wide',
        severity: 'info',
        subject: subject(lines),
        what: `${countText(lines.length, 'interrupt line')} may come on ${on}${came(lines)}`,
        cause: 'the reservation does not ask for them to be moved',
        cure: 'slicectl cpus reserve … --irqs',
        isFixable: false,
      },
    ];
  }
  const managed = lines.filter(({ number }) => traces.managed.has(number));
  const others = lines.filter(({ number }) => !traces.managed.has(number));
  const tried = stayingLines(facts, { before: wanted, wanted }, payload).flatMap(({ unmoved }) => unmoved ?? []);
  const unmoved = others.filter(({ number }) => tried.some(({ line }) => line === number));
  const unknown = others.filter((line) => !unmoved.includes(line) && facts.movability.get(line.number) === 'unknown');
  const movable = others.filter((line) => !unmoved.includes(line) && !unknown.includes(line));
  const found: Finding[] = [];
  if (movable.length > 0) {
    found.push({
      kind: 'interrupts-moved-back',
      severity: 'breach',
      subject: subject(movable),
      what: `${countText(movable.length, 'interrupt line')} may come on ${on}${came(movable)}`,
      cause: traces.meddlers.includes('irqbalance')
        ? 'irqbalance runs and moves lines, or their device came since'
        : 'their device came since, or somebody moved them back',
      cure: FIX,
      isFixable: true,
    });
  }
  if (managed.length > 0) {
    found.push({
      kind: 'interrupts-managed',
      severity: 'unmovable',
      subject: subject(managed),
      what: `${countText(managed.length, 'interrupt line')} on ${on} cannot be moved${came(managed)}`,
      cause: `the kernel manages the queues of these devices itself, one a CPU; they come only when a task there uses the device${
        managed.some(({ number }) => number === 0) ? '; line 0 is the timer of the machine, which stays' : ''
      }`,
      cure: '',
      isFixable: false,
    });
  }
  if (unmoved.length > 0) {
    found.push({
      kind: 'interrupts-unmoved',
      severity: 'unmovable',
      subject: subject(unmoved),
      what: `${countText(unmoved.length, 'interrupt line')} on ${on} did not move when the kernel was told to${came(unmoved)}`,
      cause: [...new Set(tried.map(unmovedReason))].join('; '),
      cure: `rm ${UNMOVED_PATH}, and then ${FIX} tries it again`,
      isFixable: false,
    });
  }
  if (unknown.length > 0) {
    found.push({
      kind: 'interrupts-unknown',
      severity: 'info',
      subject: subject(unknown),
      what: `${countText(unknown.length, 'interrupt line')} may come on ${on}, and nobody was told whether they can be moved${came(unknown)}`,
      cause: 'the kernel tells only who may write to /proc/irq, which this user or this sandbox may not',
      cure: 'run it as root, in a service without ProtectKernelTunables=',
      isFixable: false,
    });
  }
  return [...found, ...defaultFindings(view, wanted.interrupts), ...balanceFindings(view)];
}

function cameText(lines: readonly Interrupt[], activity: Activity | undefined): string {
  if (activity === undefined) return '';
  const numbers = new Set(lines.map(({ number }) => number));
  const count = activity.interrupts
    .filter(({ number }) => numbers.has(number))
    .reduce((sum, { counts }) => sum + [...counts.values()].reduce((all, one) => all + one, 0), 0);
  return count === 0 ? '' : `; ${countText(count, 'interrupt')} came`;
}

function defaultFindings({ facts }: AuditView, wanted: IndexSet): Finding[] {
  const { defaultAffinity } = facts.interrupts;
  const wide = intersection(defaultAffinity ?? [], facts.topology.online);
  if (isSubset(wide, wanted)) return [];
  return [
    {
      kind: 'interrupts-default',
      severity: 'drift',
      subject: 'default_smp_affinity',
      what: `interrupts of new devices may come on ${printIndexSet(wide)}`,
      cause: 'somebody wrote /proc/irq/default_smp_affinity, or it is as it was at boot',
      cure: FIX,
      isFixable: true,
    },
  ];
}

function balanceFindings(view: AuditView): Finding[] {
  const { facts, records } = view;
  if (facts.irqbalance?.isRunning !== true) return [];
  const asked = union(...records.filter(({ interrupts }) => interrupts).map(({ cpus }) => cpus));
  // What slicectl tells irqbalance is among the files.
  const isTold = view.wanted.files.some(({ path, text }) => path.includes('irqbalance') && text !== '');
  if (isTold || isSubset(asked, facts.irqbalance.banned)) return [];
  return [
    {
      kind: 'irqbalance-free',
      severity: 'drift',
      subject: 'irqbalance.service',
      what: `irqbalance runs and is not told to leave payload CPUs ${printIndexSet(asked)} alone`,
      cause: 'its list of banned CPUs does not have them',
      cure: `IRQBALANCE_BANNED_CPULIST=${printIndexSet(asked)} in its environment file, and systemctl restart irqbalance`,
      isFixable: false,
    },
  ];
}
