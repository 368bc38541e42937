import process from 'node:process';
import { isatty } from 'node:tty';
import { apply } from '../../change/apply.ts';
import type { Conflict } from '../../change/conflict.ts';
import { describeStep } from '../../change/describe.ts';
import type { ChangeContext, ChangeResult, StepEvent } from '../../change/engine.ts';
import { openStore } from '../../change/journal.ts';
import type { ActionTable, CheckTable, Plan } from '../../change/plan.ts';
import { unitControl } from '../../change/units.ts';
import { SlicectlError } from '../../core/errors.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { DISK } from '../../host/disk.ts';
import { askToProceed } from '../confirm.ts';
import { print, tell } from '../output.ts';
import { planJson, planText } from '../render/change.ts';
import { conflictText } from '../render/change-diff.ts';
import { visible } from '../render/visible.ts';

const FAILED = 1;
const FAULT = 2;
const REFUSED = 4;

export interface CarryOutOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** What the checks and actions in plans mean. */
export interface Means {
  readonly checks: CheckTable;
  readonly actions: ActionTable;
}

/** Those of plans about cgroup drivers. */
export async function driverMeans(host: DriverHost): Promise<Means> {
  const { allChecks } = await import('../../drivers/checks.ts');
  return { checks: allChecks(host), actions: {} };
}

/** Those of plans about CPUs, which may change the kubelet too. */
export async function cpuMeans(host: DriverHost): Promise<Means> {
  const { checks } = await driverMeans(host);
  const { tree, live, self } = host;
  if (live?.system === undefined) return { checks, actions: {} };
  const { cpuActions, cpuChecks } = await import('../../cpus/hold/table.ts');
  const { startActions } = await import('../../cpus/start.ts');
  const { kubeletChecks } = await import('../../cpus/kubelet/check.ts');
  const { kubeletActions } = await import('../../cpus/kubelet/state-action.ts');
  const hold = { tree, paths: live.paths, link: live.system };
  return {
    checks: { ...checks, ...cpuChecks(hold), ...kubeletChecks(tree, live.system) },
    actions: { ...cpuActions(hold), ...startActions(live.system), ...kubeletActions(tree, self.uid) },
  };
}

/** Shows a plan, asks, and applies it. 0 also where there is nothing to do; 1 where the answer is no. */
export async function carryOut(plan: Plan, host: DriverHost, means: Means, options: CarryOutOptions): Promise<number> {
  const context = contextOf(host, means);
  return proceed(plan, options, 'apply this?', (attended) => apply(plan, { ...context, ...attended }));
}

/**
 * What apply, undo and resume have in common: the preview, the question, and the report of how it ended. A plan with
 * refusals is shown and not carried out.
 */
export async function proceed(
  plan: Plan,
  options: CarryOutOptions,
  question: string,
  act: (attended: Attended) => Promise<ChangeResult>,
): Promise<number> {
  const isJson = options.json === true;
  if (options.dryRun) {
    print(isJson ? `${JSON.stringify(planJson(plan), undefined, 2)}\n` : planText(plan, { colour: hasColour() }));
    return refusalStatus(plan);
  }
  if (!isJson) print(planText(plan, { colour: hasColour() }));
  if (plan.refusals.length > 0) {
    if (isJson) print(`${JSON.stringify({ version: 1, state: 'refused', plan: planJson(plan) }, undefined, 2)}\n`);
    tell('slicectl: refused for what is said above; nothing was changed\n');
    return refusalStatus(plan);
  }
  if (plan.steps.length > 0 && !(await askToProceed(question, options))) {
    tell('nothing was changed\n');
    return FAILED;
  }
  const result = await attend(options, act).catch((error: unknown) => {
    if (isJson && error instanceof SlicectlError) print(`${JSON.stringify(failureJson(error, plan), undefined, 2)}\n`);
    throw error;
  });
  if (isJson) print(`${JSON.stringify({ version: 1, ...result, plan: planJson(plan) }, undefined, 2)}\n`);
  else if (result.id !== undefined) print(endText(result));
  return result.problems.length > 0 ? FAILED : 0;
}

function failureJson({ code, message, hint, data: { id } }: SlicectlError, plan: Plan): unknown {
  return { version: 1, id, state: 'failed', error: { code, message, hint }, plan: planJson(plan) };
}

/** 2 where a configuration file has to be mended, 4 where the host as it is does not allow the change, else 0. */
function refusalStatus({ refusals }: Plan): number {
  if (refusals.length === 0) return 0;
  return refusals.some(({ fault }) => fault) ? FAULT : REFUSED;
}

/** What a change is told of the terminal and tells it. */
export type Attended = Pick<ChangeContext, 'signal' | 'onProgress'>;

/** Lets Ctrl-C and SIGTERM take back what was begun, and shows progress and what is in the way. */
async function attend<T>({ json }: CarryOutOptions, work: (attended: Attended) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  const end = (signal: NodeJS.Signals): void => {
    tell(`slicectl: ${signal}: the step at hand is finished, then files and units are brought to what they were\n`);
    ending.abort(new SlicectlError('E_ABORTED', `the change was ended by ${signal}`));
  };
  // A terminal that goes away, such as a lost ssh connection, does not end a change half way.
  const stay = (): void => undefined;
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', stay);
  try {
    return await work({
      signal: ending.signal,
      ...(!json && { onProgress: (event) => print(progressLine(event)) }),
    });
  } catch (error) {
    tellConflicts(error);
    throw error;
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end).off('SIGHUP', stay);
  }
}

/** What a change works with on this host. */
export function contextOf({ tree, live, self }: DriverHost, { checks, actions }: Means): ChangeContext {
  return {
    tree,
    uid: self.uid,
    disk: DISK,
    checks,
    actions,
    store: openStore(tree, self),
    manager: async (which) => {
      const link = which === 'system' ? live?.system : live?.user;
      if (link === undefined) throw noManager(which);
      return unitControl(link);
    },
  };
}

/** Whether people read stdout in colour (https://no-color.org). */
export function hasColour(): boolean {
  return isatty(1) && !process.env.NO_COLOR;
}

/** Shows both sides where somebody changed a file. */
export function tellConflicts(error: unknown): void {
  if (!(error instanceof SlicectlError) || !Array.isArray(error.data.conflicts)) return;
  for (const conflict of error.data.conflicts as Conflict[])
    tell(conflictText(conflict, isatty(2) && !process.env.NO_COLOR));
}

function progressLine({ what, direction, step, number, total, reason }: StepEvent): string {
  if (what === 'failed') return `      failed: ${visible(reason ?? '')}\n`;
  if (what === 'done') return '';
  return `${direction === 'back' ? 'back ' : ''}${number}/${total} ${visible(describeStep(step))}\n`;
}

function endText({ id, state, problems }: ChangeResult): string {
  const lines = [
    ...problems.map((problem) => `not done: ${visible(problem)}`),
    state === 'applied' ? `applied as change ${id}; slicectl undo ${id} takes it back` : `change ${id} is ${state}`,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function noManager(which: 'system' | 'user'): SlicectlError {
  const whose = which === 'system' ? 'systemd' : "the user's systemd";
  return new SlicectlError('E_NO_BUS', `${whose} does not answer, and the change needs it`, {
    hint: which === 'system' ? 'is systemd the init of this system?' : 'log in with a session of your own',
  });
}
