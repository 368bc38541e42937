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
 * 1. Units that the change started are stopped, those that it had stopped and started again too: they must not run on
 *    files that go away under them.
 * 2. Files and properties go back, the last one first. All of them, before anything reads one.
 * 3. The manager reads its files again.
 * 4. What made the new files take effect makes the old ones take effect, in the change's own order; a unit that the
 *    change stopped starts again where the change starts it, or after all else. A unit that did not run before is only
 *    stopped. Failed states and start limits are reset before each start.
 * 5. The checks look for what was there before, each at its place in that order.
 *
 * Nothing at all where no step had an effect yet. Pure.
 */
export function invert(steps: readonly Step[], { begun, fresh }: Done): readonly UndoStep[] {
  const isTouched = steps.some((step, of) => begun.has(of) && step.kind !== 'check' && step.kind !== 'reset-failed');
  if (!isTouched) return [];
  const all = steps.map((step, of): Numbered => ({ of, step }));
  const ranBefore = (of: number): boolean | undefined => {
    const facts = begun.get(of) as UnitFacts | undefined;
    return facts === undefined ? undefined : isRunning(facts.activeState);
  };
  const stopped = all.filter(({ of, step }) => isUnit(step, 'stop') && ranBefore(of) === true);
  const stoppedBy = (unit: UnitStep, before: number): Numbered | undefined =>
    stopped.find(({ of, step }) => of < before && sameUnit(step, unit));

  const stops = all.flatMap(({ of, step }): UndoStep[] => {
    if (step.kind !== 'unit' || !(begun.has(of) || fresh.has(of))) return [];
    const wasStopped = step.verb === 'start' && (ranBefore(of) === false || fresh.has(of));
    const wasStarted = step.verb === 'restart' && ranBefore(of) === false;
    return wasStopped || wasStarted ? [{ of, step: job(step, 'stop') }] : [];
  });
  // As the change stopped them, such as a socket before its service; the others in reverse of their starts.
  const orderOf = ({ of, step }: UndoStep): number => {
    const stop = all.findIndex((other) => isUnit(other.step, 'stop') && other.of < of && sameUnit(other.step, step));
    return stop < 0 ? -of : stop;
  };
  const back = all
    .filter(({ of, step }) => begun.has(of) && (step.kind === 'file' || step.kind === 'property'))
    .map(({ of, step }) => ({ of, step: swapped(step) }))
    .toReversed();
  const forward = all.flatMap(({ of, step }): UndoStep[] => {
    if (step.kind === 'check') return checkBefore(step).map((check) => ({ of, step: check }));
    if (step.kind !== 'unit' || step.verb === 'stop') return [];
    if (step.verb === 'start') {
      const stop = stoppedBy(step, of);
      return stop ? [{ of: stop.of, step: job(stop.step as UnitStep & Step, 'start', step.reset) }] : [];
    }
    const tookEffect = (begun.has(of) && ranBefore(of) !== false) || fresh.has(of);
    return tookEffect ? [{ of, step: job(step, step.verb) }] : [];
  });
  const isStartedAgain = (stop: Numbered): boolean => forward.some(({ of }) => of === stop.of);
  const left = stopped.filter((stop) => !isStartedAgain(stop)).toReversed();
  const starts = left.map(({ of, step }) => ({ of, step: job(step as UnitStep & Step, 'start') }));
  return [
    ...stops.toSorted((a, b) => orderOf(a) - orderOf(b)),
    ...back,
    ...reloads(all, back.length > 0),
    ...withStarts(forward, starts),
  ];
}

/** Whether a unit in this state has processes that read its files. */
export function isRunning(activeState: string): boolean {
  return !['inactive', 'failed', 'deactivating'].includes(activeState);
}

interface Numbered {
  readonly of: number;
  readonly step: Step;
}

function checkBefore(step: CheckStep & Step): readonly Step[] {
  const { kind, check, expectBefore } = step;
  if (expectBefore === undefined) return [];
  const words = Object.entries(expectBefore).map(([name, value]) => `${name} ${value}`);
  return [{ kind, check, expect: expectBefore, purpose: `${check} finds what was there before: ${words.join(', ')}` }];
}

function isUnit(step: Step, verb: UnitStep['verb']): boolean {
  return step.kind === 'unit' && step.verb === verb;
}

function sameUnit(step: Step, other: Step | UnitStep): boolean {
  return step.kind === 'unit' && other.kind === 'unit' && step.unit === other.unit && step.manager === other.manager;
}

function job(step: UnitStep & Step, verb: UnitStep['verb'], alsoReset: readonly string[] = []): Step {
  const { kind, manager, unit, purpose } = step;
  if (verb === 'stop' || verb === 'reload') return { kind, manager, unit, verb, purpose };
  return { kind, manager, unit, verb, reset: [...new Set([unit, ...(step.reset ?? []), ...alsoReset])], purpose };
}

function swapped(step: Step): Step {
  if (step.kind === 'file') return { ...step, before: step.after, after: step.before };
  return step.kind === 'property' ? { ...step, before: step.after, after: step.before } : step;
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

/** Puts further starts before the checks that close the list, so that these see all of it. */
function withStarts(forward: readonly UndoStep[], starts: readonly UndoStep[]): readonly UndoStep[] {
  const at = forward.findLastIndex(({ step }) => step.kind !== 'check') + 1;
  return [...forward.slice(0, at), ...starts, ...forward.slice(at)];
}
