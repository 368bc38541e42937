import type { Plan, PlanNote } from '../change/plan.ts';
import { intersection } from '../core/cpuset.ts';
import { badInput } from '../core/errors.ts';
import { releaseNotes } from './forecast.ts';
import type { CpuFacts } from './model.ts';
import { type Asker, hostRefusals } from './refusals.ts';
import { listText } from './roles.ts';
import { systemSet } from './shares.ts';
import { type StepGround, stepsTo } from './steps.ts';
import { wantedFor } from './want.ts';
import { forgetWhileUnit } from './while-unit.ts';

/**
 * The plan that gives the CPUs of a slice back to the system, in an order that leaves no task narrow. Writes nothing.
 * `E_INPUT` where the slice has none. `isStopping` where the service of `--while-unit` asks, which is stopping itself.
 */
export function planRelease(facts: CpuFacts, ground: StepGround & Asker, name: string, isStopping = false): Plan {
  const record = facts.records.find((one) => one.name === name);
  if (record === undefined) {
    const names = facts.records.map((one) => one.name).join(', ');
    throw badInput(
      `${name} has no reservation`,
      names === '' ? 'nothing is reserved on this host' : `there are reservations of ${names}`,
    );
  }
  const records = facts.records.filter((one) => one !== record);
  const system = systemSet(facts, records);
  const title = `release payload CPUs ${listText(record.cpus)} of ${name}`;
  const refusals = hostRefusals(facts, ground);
  const roles: PlanNote = {
    severity: 'info',
    text: `CPUs ${listText(record.cpus)} go back to the system, which then has ${listText(intersection(system, facts.topology.online))}`,
    items: records.map((other) => `still reserved: ${listText(other.cpus)} for ${other.name}`),
  };
  const kubelet: PlanNote = {
    severity: 'warning',
    text: "the kubelet's settings stay as they are: change reservedSystemCPUs by hand, or take the reservation back with slicectl undo",
  };
  return {
    title,
    root: ground.tree.root,
    steps:
      refusals.length > 0
        ? []
        : [...stepsTo(facts, wantedFor(facts, records), ground), ...forgetWhileUnit(ground.tree, record, isStopping)],
    refusals,
    notes: [roles, ...(record.kubelet ? [kubelet] : []), ...releaseNotes(facts, record, system)],
  };
}
