import { assertNoneInterrupted } from '../change/apply.ts';
import { describeStep } from '../change/describe.ts';
import type { ChangeContext } from '../change/engine.ts';
import { tidyFile } from '../change/files.ts';
import { lockStore } from '../change/journal.ts';
import type { Step } from '../change/plan.ts';
import { assertAllKnown, carryOut, factsOf } from '../change/steps.ts';
import { SlicectlError } from '../core/errors.ts';
import { readCpus } from '../host/machine.ts';
import { readCpuFacts } from './facts.ts';
import { readGroupTree } from './groups.ts';
import type { CpuFacts, Wanted } from './model.ts';
import { readRecords } from './record.ts';
import { type Asker, hostRefusals } from './refusals.ts';
import type { CpuHost } from './show.ts';
import { stepsTo } from './steps.ts';
import { wantedFor } from './want.ts';

export interface Applied {
  /** What was done, in a few words each. */
  readonly done: readonly string[];
  /** What was not, with the reason. */
  readonly problems: readonly string[];
}

export interface ApplyRequest {
  /** Only slices that are to be partitions: for when one has started anew. */
  readonly partitionsOnly?: boolean;
}

/**
 * Brings the host to what the records of reservations want, for the boot: nothing of it goes into the journal, since it
 * is no change but the state that one left. A step that fails does not keep the others. May be repeated.
 * `E_LOCKED` and `E_INTERRUPTED` as any change, `E_REFUSED` where this host cannot hold reservations.
 */
export async function applyRecords(
  host: CpuHost & Asker,
  context: ChangeContext,
  { partitionsOnly = false }: ApplyRequest = {},
): Promise<Applied> {
  const lock = lockStore(context.store, 'cpus apply');
  try {
    assertNoneInterrupted(context);
    const facts = await readCpuFacts(host);
    const [refusal] = facts.records.length > 0 ? hostRefusals(facts, host) : [];
    if (refusal !== undefined) {
      const { reason, hint } = refusal;
      throw new SlicectlError('E_REFUSED', reason, { ...(hint !== undefined && { hint }) });
    }
    const wanted = withAbsentGroups(facts, wantedFor(facts, facts.records));
    const steps = stepsTo(facts, wanted, host);
    return await doAll(context, partitionsOnly ? steps.filter(isOfPartition(wanted)) : steps);
  } finally {
    lock.release();
  }
}

/**
 * Gives payload slices that started anew their partitions back. One that starts while this is at work has nobody else:
 * systemd takes the start of a unit that is starting for the same one. So it looks again at the end. Where none is lost,
 * as after the change that started the slice itself, it is in nobody's way.
 */
export async function applyPartitions(host: CpuHost & Asker, context: ChangeContext): Promise<Applied> {
  const done: string[] = [];
  while (hasLostPartition(host)) {
    const applied = await applyRecords(host, context, { partitionsOnly: true });
    done.push(...applied.done);
    if (applied.problems.length > 0) return { done, problems: applied.problems };
  }
  return { done, problems: [] };
}

function hasLostPartition({ paths, tree }: CpuHost): boolean {
  const groups = readGroupTree(paths, readCpus(paths).online)?.groups ?? [];
  return readRecords(tree).some(({ name, partition }) => {
    const group = groups.find(({ path }) => path === `/${name}`);
    return partition !== undefined && group?.partition !== undefined && group.partition.type !== partition;
  });
}

/**
 * What a payload slice lost that was stopped and has started again. Not what came beside it since: that an undo could not
 * know.
 */
function isOfPartition({ partitions }: Wanted): (step: Step) => boolean {
  const units = new Set(partitions.map(({ unit }) => unit));
  return (step) =>
    step.kind === 'action' &&
    ['cpus.unit', 'cpus.partition'].includes(step.action) &&
    units.has(String(step.parameters.unit));
}

/** Who makes these groups later finds them confined: Docker's cgroupfs driver starts containers in `/docker`, say. */
function withAbsentGroups({ groups, records }: CpuFacts, wanted: Wanted): Wanted {
  const there = new Set(groups?.groups.map(({ path }) => path));
  const absent = new Set(records.flatMap((record) => record.groups.filter((path) => !there.has(path))));
  return { ...wanted, groups: [...wanted.groups, ...[...absent].map((path) => ({ path, cpus: wanted.system }))] };
}

async function doAll(context: ChangeContext, steps: readonly Step[]): Promise<Applied> {
  const done: string[] = [];
  const problems: string[] = [];
  assertAllKnown(context, steps);
  for (const [number, step] of steps.entries()) {
    const tag = `apply.${number}`;
    try {
      await carryOut(context, step, tag, await factsOf(context, step));
      if (step.kind === 'file') tidyFile(context, step, tag);
      done.push(describeStep(step));
    } catch (error) {
      if (!(error instanceof SlicectlError)) throw error;
      problems.push(`${describeStep(step)}: ${error.message}`);
    }
  }
  return { done, problems };
}
