import type { Step } from '../change/plan.ts';
import { printCpuMask } from '../core/cpu-mask.ts';
import { equalSets, type IndexSet, intersection, printIndexSet } from '../core/cpuset.ts';
import type { Interrupt } from '../host/interrupts.ts';
import type { HostPaths } from '../host/paths.ts';
import type { BeforeParameters, KernelParameters, ThreadsParameters } from './hold/parameters.ts';
import {
  type Former,
  KERNEL_BEFORE_PATH,
  KERNEL_KINDS,
  type KernelBefore,
  type KernelKind,
  kernelBeforeText,
} from './kernel-before.ts';
import { type Goal, goalOf, type KindRule, rememberedOf, threadGoal } from './kernel-goal.ts';
import type { CpuFacts, Wanted } from './model.ts';
import { listText } from './roles.ts';
import { type Unmoved, unmovedTo } from './unmoved.ts';

interface Change {
  /** By the records as they are. */
  readonly before: Wanted;
  readonly wanted: Wanted;
}

/** The steps of one kind, and what is remembered of it when they are done. */
interface KindSteps {
  readonly steps: readonly Step[];
  readonly remembered: readonly Former[];
}

/**
 * Interrupts, workers and movable kernel threads; those that are ours no longer get what they had. That is written down
 * before they are moved, and forgotten after they have it again.
 */
export function kernelSteps(facts: CpuFacts, change: Change, paths: HostPaths): readonly Step[] {
  const interrupts = interruptSteps(facts, ruleOf(facts, change, 'interrupts'), paths);
  const workqueues = workqueueSteps(facts, ruleOf(facts, change, 'workqueues'), paths);
  const kernelThreads = threadSteps(facts, ruleOf(facts, change, 'kernelThreads'));
  const remembered = {
    interrupts: interrupts.remembered,
    workqueues: workqueues.remembered,
    kernelThreads: kernelThreads.remembered,
  };
  const steps = [...interrupts.steps, ...workqueues.steps, ...kernelThreads.steps];
  const note = noteSteps(facts.kernelBefore, remembered);
  return kernelBeforeText(remembered) === null ? [...steps, ...note] : [...note, ...steps];
}

function ruleOf({ kernelBefore, topology }: CpuFacts, { before, wanted }: Change, kind: KernelKind): KindRule {
  const known = kernelBefore[kind];
  const set = wanted[kind];
  // After a boot nothing was moved yet, whatever the records say; where one was removed by hand, it still is.
  const former = set === undefined || known.length > 0 ? (before[kind] ?? set) : undefined;
  return {
    known,
    former,
    wanted: set,
    all: wanted.all,
    online: topology.online,
  };
}

function noteSteps(now: KernelBefore, after: KernelBefore): readonly Step[] {
  const text = kernelBeforeText(after);
  if (text === kernelBeforeText(now)) return [];
  const parameters: BeforeParameters = { text };
  const note = 'write down which CPUs the kernel gave to what is moved';
  const forget = 'forget which CPUs the kernel gave to what was moved';
  const counts = KERNEL_KINDS.flatMap((kind) => countText(after[kind].length, WORDS[kind]));
  return [
    {
      kind: 'action',
      action: 'cpus.before',
      parameters: { ...parameters },
      does: text === null ? forget : note,
      doesBack: kernelBeforeText(now) === null ? forget : note,
      details: [KERNEL_BEFORE_PATH, ...(counts.length > 0 ? [counts.join(', ')] : [])],
      subjects: [KERNEL_BEFORE_PATH],
      purpose: 'a release gives back just that',
    },
  ];
}

const WORDS = {
  interrupts: 'interrupt setting',
  workqueues: 'worker setting',
  kernelThreads: 'kernel thread',
} as const;

const countText = (count: number, word: string): string[] =>
  count === 0 ? [] : [`${count} ${word}${count === 1 ? '' : 's'}`];

const DEFAULT = 'default_smp_affinity';

function interruptSteps(facts: CpuFacts, rule: KindRule, { proc }: HostPaths): KindSteps {
  const { interrupts, topology } = facts;
  const mask = (set: IndexSet): string => printCpuMask(set, topology.possible.at(-1) ?? 0);
  const standard = interrupts.defaultAffinity;
  const goalOfStandard = standardGoal(facts, rule);
  const lines = lineGoals(facts, rule);
  const moved = lines.flatMap(({ to, ...line }) => (to === undefined ? [] : [{ ...line, to }]));
  const isOver = rule.wanted === undefined;
  const words = isOver
    ? { does: 'give device interrupts back the CPUs they had', doesBack: 'keep device interrupts on system CPUs again' }
    : {
        does: `keep device interrupts on system CPUs ${listText(rule.wanted ?? [])}`,
        doesBack: 'give device interrupts their CPUs again',
      };
  const after = goalOfStandard?.to;
  return {
    remembered: rememberedOf(rule, [...(goalOfStandard === undefined ? [] : [goalOfStandard]), ...lines]),
    steps: [
      ...(standard === undefined || after === undefined
        ? []
        : [
            kernelStep(
              {
                form: 'mask',
                writes: [{ path: `${proc}/irq/${DEFAULT}`, before: mask(standard), after: mask(after) }],
              },
              { does: `${words.does}, new ones`, doesBack: `${words.doesBack}, new ones` },
              [`${DEFAULT} ${mask(standard)} → ${mask(after)}`],
            ),
          ]),
      ...(moved.length === 0
        ? []
        : [
            kernelStep(
              {
                form: 'list',
                writes: moved.map(({ id, now, to }) => ({
                  path: `${proc}/irq/${id}/smp_affinity_list`,
                  before: printIndexSet(now),
                  after: printIndexSet(to),
                })),
              },
              words,
              shorten(moved.map(({ id, name, now, to }) => `${id} ${name}: ${listText(now)} → ${listText(to)}`)),
            ),
          ]),
    ],
  };
}

interface LineGoal extends Goal {
  readonly id: string;
  readonly name: string;
  readonly now: IndexSet;
  /** Why it stays where it is, where it was to come elsewhere. */
  readonly unmoved: Unmoved | undefined;
}

function standardGoal({ interrupts }: CpuFacts, rule: KindRule): Goal | undefined {
  return interrupts.defaultAffinity && goalOf({ id: DEFAULT, of: '', now: interrupts.defaultAffinity }, rule);
}

/** Of the lines that the kernel lets be moved, as far as it tells. */
function lineGoals(facts: CpuFacts, rule: KindRule): readonly LineGoal[] {
  const { interrupts, movability, unmoved } = facts;
  const assumed = (standardGoal(facts, rule)?.before ?? rule.known.find(({ id }) => id === DEFAULT))?.cpus;
  return interrupts.lines.flatMap(({ number, name, source, affinity }): LineGoal[] => {
    const id = String(number);
    const known = rule.known.find((one) => one.id === id);
    // Without a driver nothing comes, and the default is for those that get one.
    const isOpen = name !== '' || known !== undefined;
    if (!isOpen || affinity === undefined || movability.get(number) === 'refuses') return [];
    // A line begins with what is the default then.
    const goal = goalOf({ id, of: source, now: affinity }, rule, assumed);
    const line = { id, name, now: affinity };
    const stays = goal.to && unmovedTo(unmoved, { number, source }, goal.to);
    return stays === undefined
      ? [{ ...line, ...goal, unmoved: undefined }]
      : [{ ...line, to: undefined, before: known, unmoved: stays }];
  });
}

/** A line that stays on CPUs that it was to leave. */
export interface StayingLine extends Pick<Interrupt, 'number' | 'name'> {
  readonly on: IndexSet;
  /** Undefined where the kernel lets nobody move it. */
  readonly unmoved: Unmoved | undefined;
}

/** The lines on these CPUs that no step moves away. */
export function stayingLines(facts: CpuFacts, change: Change, cpus: IndexSet): readonly StayingLine[] {
  const goals = lineGoals(facts, ruleOf(facts, change, 'interrupts'));
  return facts.interrupts.lines.flatMap(({ number, name, affinity = [], effective = affinity }): StayingLine[] => {
    const unmoved = goals.find(({ id }) => id === String(number))?.unmoved;
    const on = intersection(unmoved === undefined ? effective : affinity, cpus);
    const stays = unmoved !== undefined || facts.movability.get(number) === 'refuses';
    return name === '' || on.length === 0 || !stays ? [] : [{ number, name, on, unmoved }];
  });
}

const MOST_LINES = 12;

/** A server has hundreds of lines. */
function shorten(lines: readonly string[]): readonly string[] {
  const left = lines.length - MOST_LINES;
  return left <= 1 ? lines : [...lines.slice(0, MOST_LINES), `and ${left} more`];
}

function workqueueSteps({ workqueues, topology }: CpuFacts, rule: KindRule, { sys }: HostPaths): KindSteps {
  if (workqueues === undefined) return { steps: [], remembered: rule.known };
  const folder = `${sys}/devices/virtual/workqueue`;
  const mask = (set: IndexSet): string => printCpuMask(set, topology.possible.at(-1) ?? 0);
  // An isolated partition takes its CPUs off the mask that is read, not off the one that was written (6.7).
  const places = [
    { name: 'all unbound workers', id: 'cpumask', now: workqueues.requested ?? workqueues.cpumask },
    ...workqueues.queues.map(({ name, cpumask }) => ({ name, id: `${name}/cpumask`, now: cpumask })),
  ].map((place) => ({ ...place, ...goalOf({ ...place, of: '' }, rule) }));
  const remembered = rememberedOf(rule, places);
  const writes = places.flatMap(({ name, id, now, to }) =>
    to === undefined ? [] : [{ name, path: `${folder}/${id}`, before: mask(now), after: mask(to) }],
  );
  if (writes.length === 0) return { steps: [], remembered };
  const words =
    rule.wanted === undefined
      ? {
          does: "give the kernel's workers back the CPUs they had",
          doesBack: "keep the kernel's workers on system CPUs again",
        }
      : {
          does: `keep the kernel's workers on system CPUs ${listText(rule.wanted)}`,
          doesBack: "give the kernel's workers their CPUs again",
        };
  const parameters = { form: 'mask' as const, writes: writes.map(({ name: _, ...write }) => write) };
  const details = shorten(writes.map((each) => `${each.name}: ${each.before} → ${each.after}`));
  return { steps: [kernelStep(parameters, words, details)], remembered };
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

function threadSteps({ tasks }: CpuFacts, rule: KindRule): KindSteps {
  const sets = { before: rule.former ?? rule.all, after: rule.wanted ?? rule.all };
  const isAsked = rule.wanted !== undefined || rule.former !== undefined;
  const movable = isAsked ? tasks.filter(({ kind }) => kind === 'movable') : [];
  const places = movable.map(({ tid, name, allowed }) => {
    const goal: Goal = goalOf({ id: String(tid), of: name, now: allowed }, rule);
    return { tid, name, now: allowed, ...goal };
  });
  const remembered = rememberedOf(rule, places);
  const moved = places.flatMap(({ to, ...place }) => (to === undefined ? [] : [{ ...place, to }]));
  if (moved.length === 0) return { steps: [], remembered };
  const own = places.flatMap(({ tid, name, now, to = now }) =>
    equalSets(to, threadGoal(now, sets)) ? [] : [{ tid, name, after: printIndexSet(to) }],
  );
  const { before, after } = sets;
  const parameters: ThreadsParameters = { before: printIndexSet(before), after: printIndexSet(after), own };
  const many = `${moved.length} kernel thread${moved.length === 1 ? '' : 's'}`;
  const others = moved.filter(({ now, to }) => !equalSets(now, before) || !equalSets(to, after));
  return {
    remembered,
    steps: [
      {
        kind: 'action',
        action: 'cpus.threads',
        parameters: { ...parameters },
        does:
          rule.wanted === undefined
            ? `give ${many} back the CPUs they had`
            : `move ${many} that can be moved to CPUs ${listText(after)}`,
        doesBack: `give them the CPUs ${listText(before)} again`,
        details: shorten(others.map(({ tid, name, now, to }) => `${tid} ${name}: ${listText(now)} → ${listText(to)}`)),
        subjects: ['affinity of kernel threads'],
        purpose: 'no group rules them',
      },
    ],
  };
}
