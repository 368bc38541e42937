import { quote, SlicectlError } from '../core/errors.ts';
import { type FileHand, fileFacts, takeFileBack, writeFile } from './files.ts';
import type { Action, ActionTable, CheckStep, CheckTable, Step, StepManager, UnitStep } from './plan.ts';
import type { ActionFacts, FileFacts, StepFacts } from './progress.ts';
import type { UnitControl } from './units.ts';

/** What steps work with. */
export interface Hands extends FileHand {
  /** Rejects with `E_NO_BUS` where there is no such systemd. */
  readonly manager: (which: StepManager) => Promise<UnitControl>;
  readonly checks: CheckTable;
  readonly actions: ActionTable;
}

/** What has to be known of the time before a step, to take it back. Changes nothing. */
export async function factsOf(hands: Hands, step: Step): Promise<StepFacts> {
  if (step.kind === 'file') return fileFacts(hands, step);
  if (step.kind === 'action') return { noted: await actionOf(hands, step.action).facts(step.parameters) };
  if (step.kind !== 'unit') return {};
  const { activeState } = await (await hands.manager(step.manager)).state(step.unit);
  return { activeState };
}

/**
 * Carries out one step of a change, also one that was begun before. `tag` names what lies beside a file meanwhile. Gives
 * the facts with what the step added to them.
 */
export async function carryOut(hands: Hands, step: Step, tag: string, facts: StepFacts): Promise<StepFacts> {
  if (step.kind === 'file') writeFile(hands, step, tag, facts as FileFacts);
  else if (step.kind === 'action') {
    const { noted } = facts as ActionFacts;
    return { noted: { ...noted, ...(await actionOf(hands, step.action).carryOut(step.parameters, noted)) } };
  } else await act(hands, step);
  return facts;
}

/** Carries out one step of the way back: `original` is the step that it takes back. */
export async function carryBack(
  hands: Hands,
  step: Step,
  original: Step | undefined,
  tag: string,
  facts: StepFacts | undefined,
): Promise<void> {
  if (original?.kind === 'file') takeFileBack(hands, original, tag, facts as FileFacts);
  else if (original?.kind === 'action') {
    await actionOf(hands, original.action).takeBack(original.parameters, (facts as ActionFacts).noted);
  } else await act(hands, step);
}

async function act(hands: Hands, step: Step): Promise<void> {
  if (step.kind === 'check') return check(hands, step);
  if (step.kind === 'reload') return (await hands.manager(step.manager)).reload();
  if (step.kind === 'reset-failed') return (await hands.manager(step.manager)).resetFailed(step.unit);
  if (step.kind === 'unit') return runJob(await hands.manager(step.manager), step);
}

async function runJob(control: UnitControl, { unit, verb, reset = [] }: UnitStep): Promise<void> {
  for (const name of reset) await control.resetFailed(name);
  await control.job(verb, unit);
}

async function check({ checks, tree }: Hands, { check: name, expect }: CheckStep): Promise<void> {
  const known = checks[name];
  if (known === undefined) throw unknown('check', name);
  const { ok, found } = await known(expect, tree.root);
  if (!ok) throw new SlicectlError('E_NOT_IN_FORCE', found, { data: { check: name, expect } });
}

/** `E_INPUT` for a plan with checks or actions that nobody knows. */
export function assertAllKnown(hands: Hands, steps: readonly Step[]): void {
  for (const step of steps) {
    if (step.kind === 'check' && hands.checks[step.check] === undefined) throw unknown('check', step.check);
    if (step.kind === 'action') actionOf(hands, step.action);
  }
}

/** `E_INPUT` for an action that nobody knows. */
export function actionOf({ actions }: Hands, name: string): Action {
  const known = actions[name];
  if (known === undefined) throw unknown('action', name);
  return known;
}

function unknown(what: 'check' | 'action', name: string): SlicectlError {
  return new SlicectlError('E_INPUT', `this slicectl does not know the ${what} ${quote(name)}`, {
    hint: 'the change was made by a newer one: use that',
    data: { [what]: name },
  });
}
