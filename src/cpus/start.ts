import type { SystemdLink } from '../backend/systemd-link.ts';
import { isRunning } from '../change/invert.ts';
import type { Action, ActionTable, Parameters } from '../change/plan.ts';
import { type UnitControl, unitControl } from '../change/units.ts';
import { SlicectlError } from '../core/errors.ts';

/**
 * `cpus.start` {unit}: a slice is started. Taken back, it stops if the change had started it and nothing is in it: what was
 * started in it since is somebody's payload.
 */
export function startActions(link: SystemdLink): ActionTable {
  const control = unitControl(link);
  const start: Action = {
    assertAsPlanned: async () => undefined,
    facts: async (parameters) => ({ ran: await runs(control, unitOf(parameters)) }),
    carryOut: async (parameters) => {
      if (!(await runs(control, unitOf(parameters)))) await control.job('start', unitOf(parameters));
      return undefined;
    },
    takeBack: async (parameters, { ran }) => {
      const unit = unitOf(parameters);
      if (ran === true || !(await runs(control, unit)) || !(await isEmpty(link, unit))) return;
      await control.job('stop', unit);
    },
  };
  return { 'cpus.start': start };
}

function unitOf({ unit }: Parameters): string {
  if (typeof unit !== 'string') throw new SlicectlError('E_INPUT', 'cpus.start names no unit');
  return unit;
}

async function runs(control: UnitControl, unit: string): Promise<boolean> {
  return isRunning((await control.state(unit)).activeState);
}

async function isEmpty(link: SystemdLink, unit: string): Promise<boolean> {
  return link.persist(async ({ manager }) => (await manager.getUnitProcesses(unit)).length === 0);
}
