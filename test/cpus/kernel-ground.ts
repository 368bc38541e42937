import type { ActionStep, Step } from '../../src/change/plan.ts';
import { parseCpuMask } from '../../src/core/cpu-mask.ts';
import { type IndexSet, parseIndexSet } from '../../src/core/cpuset.ts';
import type { BeforeParameters, KernelParameters, ThreadsParameters } from '../../src/cpus/hold/parameters.ts';
import { NOTHING_BEFORE, parseKernelBefore } from '../../src/cpus/kernel-before.ts';
import { threadGoal } from '../../src/cpus/kernel-goal.ts';
import { kernelSteps } from '../../src/cpus/kernel-steps.ts';
import type { CpuFacts, ReservationRecord } from '../../src/cpus/model.ts';
import { wantedFor } from '../../src/cpus/want.ts';
import { factsOf, set, taskOf } from './ground.ts';

const PATHS = { proc: '/nowhere/proc', sys: '/nowhere/sys', etc: '/nowhere/etc', run: '/nowhere/run' };

/** What the kernel's own work may use, by names such as `irq 24`, `default`, `cpumask`, `writeback`, `thread 30`. */
export type Sets = Readonly<Record<string, IndexSet>>;

/** A host of eight CPUs on which steps of the kernel's own work are carried out. */
export class KernelHost {
  facts: CpuFacts;

  constructor(sets: Sets) {
    this.facts = factsOf();
    this.write(sets);
  }

  /** As somebody else does it. */
  write(sets: Sets): this {
    const all = { ...this.sets(), ...sets };
    const of = (kind: string) => Object.entries(all).flatMap(([key, cpus]) => numbered(key, kind, cpus));
    this.facts = {
      ...this.facts,
      interrupts: {
        defaultAffinity: all.default,
        lines: of('irq').map(({ number, cpus }) => ({
          number,
          name: `dev${number}`,
          source: `PCI ${number}-edge`,
          counts: new Map(),
          affinity: cpus,
          effective: undefined,
        })),
      },
      workqueues: {
        cpumask: all.cpumask ?? set('0-7'),
        isolated: [],
        requested: undefined,
        queues: all.writeback === undefined ? [] : [{ name: 'writeback', cpumask: all.writeback }],
      },
      tasks: of('thread').map(({ number, cpus }) =>
        taskOf(`thread${number}`, '/', { tid: number, pid: number, kind: 'movable', allowed: cpus }),
      ),
    };
    return this;
  }

  sets(): Sets {
    const { interrupts, workqueues, tasks } = this.facts;
    return Object.fromEntries([
      ...(interrupts.defaultAffinity === undefined ? [] : [['default', interrupts.defaultAffinity]]),
      ...interrupts.lines.map(({ number, affinity }) => [`irq ${number}`, affinity]),
      ...(workqueues === undefined ? [] : [['cpumask', workqueues.cpumask]]),
      ...(workqueues?.queues ?? []).map(({ name, cpumask }) => [name, cpumask]),
      ...tasks.map(({ tid, allowed }) => [`thread ${tid}`, allowed]),
    ]);
  }

  /** What is to be done so that these hold. */
  stepsTo(records: readonly ReservationRecord[]): readonly Step[] {
    const change = { before: wantedFor(this.facts, this.facts.records), wanted: wantedFor(this.facts, records) };
    return kernelSteps(this.facts, change, PATHS);
  }

  /** Does it. */
  to(records: readonly ReservationRecord[]): this {
    for (const step of this.stepsTo(records)) if (step.kind === 'action') this.#carryOut(step);
    this.facts = { ...this.facts, records };
    return this;
  }

  #carryOut({ action, parameters }: ActionStep): void {
    if (action === 'cpus.before') {
      const { text } = parameters as unknown as BeforeParameters;
      this.facts = { ...this.facts, kernelBefore: text === null ? NOTHING_BEFORE : parseKernelBefore(text) };
    } else if (action === 'cpus.kernel') {
      const { form, writes } = parameters as unknown as KernelParameters;
      const read = (text: string) => (form === 'list' ? parseIndexSet(text, 'list') : parseCpuMask(text, 'mask', 7));
      this.write(Object.fromEntries(writes.map(({ path, after }) => [keyOf(path), read(after)])));
    } else if (action === 'cpus.threads') {
      const { before, after, own } = parameters as unknown as ThreadsParameters;
      const sets = { before: set(before), after: set(after) };
      const goals = this.facts.tasks.map(({ tid, name, allowed }): [string, IndexSet] => {
        const named = own.find((one) => one.tid === tid && one.name === name);
        return [`thread ${tid}`, named === undefined ? threadGoal(allowed, sets) : set(named.after)];
      });
      this.write(Object.fromEntries(goals));
    } else throw new Error(`unknown action ${action}`);
  }
}

function numbered(key: string, kind: string, cpus: IndexSet): { readonly number: number; readonly cpus: IndexSet }[] {
  const [own, number] = key.split(' ');
  return own === kind ? [{ number: Number(number), cpus }] : [];
}

function keyOf(path: string): string {
  const line = /\/irq\/(\d+)\//.exec(path)?.[1];
  if (line !== undefined) return `irq ${line}`;
  if (path.endsWith('/default_smp_affinity')) return 'default';
  return path.endsWith('/workqueue/cpumask') ? 'cpumask' : 'writeback';
}
