import type { Step } from '../change/plan.ts';
import { printCpuMask } from '../core/cpu-mask.ts';
import { equalSets, type IndexSet, intersection, isSubset, printIndexSet } from '../core/cpuset.ts';
import { mayBeMoved } from '../host/interrupts.ts';
import type { HostPaths } from '../host/paths.ts';
import type { KernelParameters, ThreadsParameters } from './hold/parameters.ts';
import type { CpuFacts, Wanted } from './model.ts';
import { listText } from './roles.ts';

interface Change {
  /** By the records as they are. */
  readonly before: Wanted;
  readonly wanted: Wanted;
}

/** Interrupts, workers and movable kernel threads; those that are ours no longer get all CPUs. */
export function kernelSteps(facts: CpuFacts, change: Change, paths: HostPaths): readonly Step[] {
  return [
    ...interruptSteps(facts, change, paths),
    ...workqueueSteps(facts, change, paths),
    ...threadSteps(facts, change),
  ];
}

/**
 * The set for something that has `now`: undefined where it stays. What lies within the wanted set stays, unless it is the
 * former set, which slicectl gave it.
 */
function moved(
  now: IndexSet,
  former: IndexSet | undefined,
  after: IndexSet | undefined,
  all: IndexSet,
): IndexSet | undefined {
  const isOurs = former !== undefined && equalSets(now, former);
  if (after === undefined) return isOurs && !equalSets(now, all) ? all : undefined;
  if (isOurs) return equalSets(now, after) ? undefined : after;
  if (isSubset(now, after)) return undefined;
  const rest = intersection(now, after);
  return rest.length === 0 ? after : rest;
}

function interruptSteps(facts: CpuFacts, { before, wanted }: Change, paths: HostPaths): readonly Step[] {
  const { proc } = paths;
  const { interrupts, topology } = facts;
  const to = (now: IndexSet): IndexSet | undefined => moved(now, before.interrupts, wanted.interrupts, wanted.all);
  const lines = interrupts.lines.flatMap(({ number, name, affinity }) => {
    // Without a driver nothing comes, and the default is for those that get one.
    const isFree = name !== '' && affinity !== undefined && mayBeMoved(paths, { number });
    const after = isFree ? to(affinity) : undefined;
    return after === undefined ? [] : [{ number, name, before: affinity ?? [], after }];
  });
  const mask = (set: IndexSet): string => printCpuMask(set, topology.possible.at(-1) ?? 0);
  const standard = interrupts.defaultAffinity;
  const afterStandard = standard === undefined ? undefined : to(standard);
  const isOver = wanted.interrupts === undefined;
  const words = isOver
    ? { does: 'give device interrupts all CPUs again', doesBack: 'keep device interrupts on system CPUs again' }
    : {
        does: `keep device interrupts on system CPUs ${listText(wanted.interrupts ?? [])}`,
        doesBack: 'give device interrupts their CPUs again',
      };
  return [
    ...(standard === undefined || afterStandard === undefined
      ? []
      : [
          kernelStep(
            {
              form: 'mask',
              writes: [
                { path: `${proc}/irq/default_smp_affinity`, before: mask(standard), after: mask(afterStandard) },
              ],
            },
            { does: `${words.does}, new ones`, doesBack: `${words.doesBack}, new ones` },
            [`default_smp_affinity ${mask(standard)} → ${mask(afterStandard)}`],
          ),
        ]),
    ...(lines.length === 0
      ? []
      : [
          kernelStep(
            {
              form: 'list',
              writes: lines.map((line) => ({
                path: `${proc}/irq/${line.number}/smp_affinity_list`,
                before: printIndexSet(line.before),
                after: printIndexSet(line.after),
              })),
            },
            words,
            shorten(
              lines.map((line) => `${line.number} ${line.name}: ${listText(line.before)} → ${listText(line.after)}`),
            ),
          ),
        ]),
  ];
}

const MOST_LINES = 12;

/** A server has hundreds of lines. */
function shorten(lines: readonly string[]): readonly string[] {
  const left = lines.length - MOST_LINES;
  return left <= 1 ? lines : [...lines.slice(0, MOST_LINES), `and ${left} more`];
}

function workqueueSteps(facts: CpuFacts, { before, wanted }: Change, { sys }: HostPaths): readonly Step[] {
  const { workqueues, topology } = facts;
  if (workqueues === undefined) return [];
  const folder = `${sys}/devices/virtual/workqueue`;
  const mask = (set: IndexSet): string => printCpuMask(set, topology.possible.at(-1) ?? 0);
  // An isolated partition takes its CPUs off the mask that is read, not off the one that was written (6.7).
  const places = [
    { name: 'all unbound workers', path: `${folder}/cpumask`, now: workqueues.requested ?? workqueues.cpumask },
    ...workqueues.queues.map(({ name, cpumask }) => ({ name, path: `${folder}/${name}/cpumask`, now: cpumask })),
  ];
  const writes = places.flatMap(({ name, path, now }) => {
    const after = moved(now, before.workqueues, wanted.workqueues, wanted.all);
    return after === undefined ? [] : [{ name, path, before: mask(now), after: mask(after) }];
  });
  if (writes.length === 0) return [];
  const words =
    wanted.workqueues === undefined
      ? { does: "give the kernel's workers all CPUs again", doesBack: "keep the kernel's workers on system CPUs again" }
      : {
          does: `keep the kernel's workers on system CPUs ${listText(wanted.workqueues)}`,
          doesBack: "give the kernel's workers their CPUs again",
        };
  const parameters = { form: 'mask' as const, writes: writes.map(({ name: _, ...write }) => write) };
  return [kernelStep(parameters, words, shorten(writes.map((each) => `${each.name}: ${each.before} → ${each.after}`)))];
}

function kernelStep(
  parameters: KernelParameters,
  words: { readonly does: string; readonly doesBack: string },
  details: readonly string[],
): Step {
  return {
    kind: 'action',
    action: 'cpus.kernel',
    parameters: { ...parameters },
    ...words,
    details,
    subjects: parameters.writes.map(({ path }) => path),
    purpose: 'no group rules them',
  };
}

function threadSteps({ tasks }: CpuFacts, { before, wanted }: Change): readonly Step[] {
  const after = wanted.kernelThreads ?? wanted.all;
  const former = before.kernelThreads ?? wanted.all;
  const isAsked = wanted.kernelThreads !== undefined || before.kernelThreads !== undefined;
  const movable = isAsked ? tasks.filter(({ kind }) => kind === 'movable') : [];
  const out = movable.filter(({ allowed }) => moved(allowed, before.kernelThreads, wanted.kernelThreads, wanted.all));
  if (out.length === 0) return [];
  const parameters: ThreadsParameters = { before: printIndexSet(former), after: printIndexSet(after) };
  const many = `${out.length} kernel thread${out.length === 1 ? '' : 's'}`;
  return [
    {
      kind: 'action',
      action: 'cpus.threads',
      parameters: { ...parameters },
      does: `move ${many} that can be moved to CPUs ${listText(after)}`,
      doesBack: `give them the CPUs ${listText(former)} again`,
      subjects: ['affinity of kernel threads'],
      purpose: 'no group rules them',
    },
  ];
}
