import type { CheckStep, Step, StepManager, UnitStep } from './plan.ts';
import type { StepFacts, UnitFacts } from './progress.ts';

/** How far a change has come. */
export interface Done {
  /** Steps that were begun, with what was found before each. */
  readonly begun: ReadonlyMap<number, StepFacts>;
  /** Steps not begun whose unit was started since the change began, by a reboot or by somebody, and has read the new files. */
  readonly fresh: ReadonlySet<number>;
}

/** One step of the way back. */
export interface UndoStep {
  /** The step that it takes back. */
  readonly of: number;
  readonly step: Step;
}

/**
 * The way back from any point of a change:
 *
 * 1. Units that the change brought up stop, and those that it had stopped and has started again: they must not run on
 *    files that go away under them.
 * 2. Files and actions go back, the last one first. All of them, before anything reads one.
 * 3. The manager reads its files again.
 * 4. Each unit that ran before gets the one job that makes the old files take effect, where the change has its last job
 *    for it; a unit that the change only stops starts after all others. Failed states and start limits are reset first.
 * 5. The checks look for what was there before, each at its place in that order.
 *
 * Nothing at all where no step had an effect yet. Pure.
 */
export function invert(steps: readonly Step[], { begun, fresh }: Done): readonly UndoStep[] {
  const all = steps.map((step, of): Numbered => ({ of, step }));
  const isTouched = all.some(({ of, step }) => begun.has(of) && step.kind !== 'check' && step.kind !== 'reset-failed');
  if (!isTouched) return [];
  const ways = unitsOf(all).map((jobs) => wayOfUnit(jobs, { begun, fresh }));
  const back = all
    .filter(({ of, step }) => begun.has(of) && isState(step))
    .map(({ of, step }) => ({ of, step: swapped(step) }))
    .toReversed();
  const jobs = ways.flatMap(({ up }) => up ?? []);
  const checks = all.flatMap(({ of, step }) =>
    step.kind === 'check' ? checkBefore(step).map((check) => ({ at: of, of, step: check })) : [],
  );
  const placed = [...jobs.filter(({ at }) => at !== undefined), ...checks].toSorted(
    (a, b) => (a.at ?? 0) - (b.at ?? 0),
  );
  const last = jobs.filter(({ at }) => at === undefined).toSorted((a, b) => b.of - a.of);
  return [
    ...ways.flatMap(({ down }) => down ?? []).toSorted((a, b) => a.order - b.order),
    ...back,
    ...reloads(all, back.length > 0),
    ...beforeLastChecks(placed, last),
  ].map(({ of, step }) => ({ of, step }));
}

/** Whether a step is state that goes back to what it was, as opposed to jobs and checks. */
export function isState({ kind }: Step): boolean {
  return kind === 'file' || kind === 'action';
}

/** Whether a unit in this state has processes that read its files. */
export function isRunning(activeState: string): boolean {
  return !['inactive', 'failed', 'deactivating'].includes(activeState);
}

interface Numbered {
  readonly of: number;
  readonly step: Step;
}

interface NumberedJob {
  readonly of: number;
  readonly step: UnitStep & Step;
}

interface WayOfUnit {
  /** In the order of the change's own stops, such as a socket before its service; what it never stops comes first. */
  readonly down?: UndoStep & { readonly order: number };
  /** `at` is the place of the step in the change; absent for the end. */
  readonly up?: UndoStep & { readonly at: number | undefined };
}

function wayOfUnit(jobs: readonly NumberedJob[], { begun, fresh }: Done): WayOfUnit {
  const done = jobs.filter(({ of }) => begun.has(of));
  const started = jobs.filter(({ of, step }) => isUp(step) && (begun.has(of) || fresh.has(of)));
  const reset = [...new Set(jobs.flatMap(({ step }) => [step.unit, ...(step.reset ?? [])]))];
  const stop = done.find(({ step }) => step.verb === 'stop');
  const start = started.at(-1);
  const first = done[0];
  const facts = first && (begun.get(first.of) as UnitFacts);
  // A unit that the change has not come to yet runs now if it is fresh, and ran before for all that is known.
  const ranBefore = facts === undefined || isRunning(facts.activeState);
  const down = start && { of: start.of, step: job(start.step, 'stop'), order: stop?.of ?? -start.of };
  if (!ranBefore) return down ? { down } : {};
  if (stop !== undefined) {
    const place = jobs.findLast(({ of, step }) => of > stop.of && isUp(step));
    const mayRun = start !== undefined && start.of > stop.of;
    return {
      ...(mayRun && down && { down }),
      up: { of: stop.of, at: place?.of, step: job(stop.step, 'start', reset) },
    };
  }
  const restart = started.findLast(({ of, step }) => step.verb === 'restart' || fresh.has(of));
  if (restart) return { up: { of: restart.of, at: restart.of, step: job(restart.step, 'restart', reset) } };
  const reload = jobs.findLast(({ of, step }) => step.verb === 'reload' && (begun.has(of) || fresh.has(of)));
  return reload ? { up: { of: reload.of, at: reload.of, step: job(reload.step, 'reload') } } : {};
}

function isUp({ verb }: UnitStep): boolean {
  return verb === 'start' || verb === 'restart';
}

/** The jobs of a change by unit. */
function unitsOf(all: readonly Numbered[]): readonly (readonly NumberedJob[])[] {
  const units = new Map<string, NumberedJob[]>();
  for (const { of, step } of all) {
    if (step.kind !== 'unit') continue;
    const key = `${step.manager} ${step.unit}`;
    units.set(key, [...(units.get(key) ?? []), { of, step }]);
  }
  return [...units.values()];
}

function job({ kind, manager, unit }: UnitStep, verb: UnitStep['verb'], reset?: readonly string[]): Step {
  return { kind, manager, unit, verb, ...(reset && { reset }), purpose: PURPOSES[verb] };
}

const PURPOSES: Readonly<Record<UnitStep['verb'], string>> = {
  stop: 'its files go back',
  start: 'it ran before',
  restart: 'with its files as they were',
  reload: 'with its files as they were',
};

function checkBefore(step: CheckStep & Step): readonly Step[] {
  const { kind, check, expectBefore, purpose, purposeBefore = `${purpose}, as before` } = step;
  return expectBefore === undefined ? [] : [{ kind, check, expect: expectBefore, purpose: purposeBefore }];
}

function swapped(step: Step): Step {
  if (step.kind === 'file') return { ...step, before: step.after, after: step.before };
  return step.kind === 'action' ? { ...step, does: step.doesBack, doesBack: step.does } : step;
}

/** Also those that were not begun: a reboot or somebody's daemon-reload may have shown the manager the new files. */
function reloads(all: readonly Numbered[], isNeeded: boolean): readonly UndoStep[] {
  const seen = new Set<StepManager>();
  return all.filter(({ step }) => {
    if (!isNeeded || step.kind !== 'reload' || seen.has(step.manager)) return false;
    seen.add(step.manager);
    return true;
  });
}

/** Puts steps before the checks that close the list, so that these see all of it. */
function beforeLastChecks(placed: readonly UndoStep[], last: readonly UndoStep[]): readonly UndoStep[] {
  const at = placed.findLastIndex(({ step }) => step.kind !== 'check') + 1;
  return [...placed.slice(0, at), ...last, ...placed.slice(at)];
}
