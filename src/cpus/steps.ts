import { fileStep, removeFileStep } from '../change/file-step.ts';
import type { ActionStep, FileStep, Step } from '../change/plan.ts';
import { equalSets, type IndexSet, intersection, printIndexSet, without } from '../core/cpuset.ts';
import type { HostPaths } from '../host/paths.ts';
import type { RootTree } from '../host/root-tree.ts';
import type { HeldExpectation, LaterParameters, WideExpectation } from './hold/parameters.ts';
import { isolatedSteps } from './isolated-steps.ts';
import { kernelSteps } from './kernel-steps.ts';
import type { CpuFacts, Wanted } from './model.ts';
import { ownFiles, ownFolders } from './own-files.ts';
import { partitionsBack, partitionsOn } from './partition-steps.ts';
import { listText } from './roles.ts';
import { podsTops } from './shares.ts';
import { groupSteps, startSteps, unitSteps } from './unit-steps.ts';
import { wantedFor } from './want.ts';

/** Where steps are made for. */
export interface StepGround {
  readonly tree: RootTree;
  readonly paths: HostPaths;
}

/** Steps of others that belong to the change, such as those of the kubelet. */
export interface ExtraSteps {
  readonly stop: readonly Step[];
  readonly files: readonly Step[];
  readonly start: readonly Step[];
}

const NO_EXTRA: ExtraSteps = { stop: [], files: [], start: [] };

/**
 * The steps from what is to what is wanted, none where all is so already:
 *
 * 1. Partitions that go or change are members again: nothing else may change around a partition (CPUs leak on 6.12).
 * 2. Files are written and systemd reads them, so that what is made from now on comes out right. systemd reads them for
 *    a slice that is made before that, too: so what undoes it stands before the file for all slices, and comes after it.
 * 3. Units and groups get their CPUs at once: first the system's units, which bring the controller to the groups beside
 *    them, then the payload's, then those that lose their set and are widened explicitly, since the kernel leaves tasks
 *    narrow otherwise (systemd#43846).
 * 4. Partitions, interrupts, workers, kernel threads.
 * 5. Slices that were made meanwhile are widened, then files that nobody wants any more go, and what came just then is
 *    looked for. Not only afterwards: systemd may drop the controller, and then nothing tells whose tasks are left narrow.
 * 6. Last of all tasks leave the CPUs of `isolcpus=`, which cpusets opened to them.
 */
export function stepsTo(facts: CpuFacts, wanted: Wanted, ground: StepGround, extra = NO_EXTRA): readonly Step[] {
  const { tree } = ground;
  const before = wantedFor(facts, facts.records);
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const written = wanted.files.flatMap(({ path, text, purpose }) => fileStep(tree, path, encode(text), purpose));
  const kept = new Set(wanted.files.map(({ path }) => path));
  const removed = ownFiles(tree)
    .filter((path) => !kept.has(path))
    .flatMap((path) => removeFileStep(tree, path, 'its reservation is over', ownFolders(path)));
  const units = unitSteps(facts, { before, wanted });
  const kernel = kernelSteps(facts, { before, wanted }, ground.paths);
  const isOver = wanted.files.length === 0;
  const live = [
    ...units.confined,
    ...groupSteps(facts, { before, wanted }),
    ...startSteps(facts, wanted),
    ...units.payload,
    ...units.freed,
    ...partitionsOn(facts, wanted),
  ];
  const later = laterSteps(before.system, wanted, [...written, ...removed]);
  const steps = [
    ...(before.files.length === 0 && !isOver ? isolatedSteps(facts, 'back') : []),
    ...partitionsBack(facts, { before, wanted }),
    ...withBack(written, wanted, isOver ? [] : later),
    ...extra.files,
    ...reloads([...written, ...extra.files]),
    ...(isOver ? [] : later),
    ...live,
    ...irqbalanceSteps(facts, written),
    ...kernel,
    ...(isOver ? later : []),
    ...removed,
    ...(units.freed.length > 0 ? [RELOAD] : reloads(removed)),
    ...(isOver ? later : []),
    ...irqbalanceSteps(facts, removed),
    ...(isOver && before.files.length > 0 ? isolatedSteps(facts, 'forward') : []),
  ];
  if (extra.stop.length + steps.length + extra.start.length === 0) return [];
  return [...extra.stop, ...steps, ...checks(facts, { before, wanted }), ...extra.start];
}

const RELOAD: Step = { kind: 'reload', manager: 'system', purpose: 'systemd reads its unit files again' };

function reloads(steps: readonly Step[]): readonly Step[] {
  const isUnitFile = (step: Step): boolean =>
    step.kind === 'file' && /^\/(?:etc|run)\/systemd\/system\//.test(step.path);
  return steps.some(isUnitFile) ? [RELOAD] : [];
}

/** The file for all slices reaches those that are made while the plan is carried out, and later. */
function laterSteps(
  before: IndexSet,
  { system, all, open, files }: Wanted,
  changed: readonly FileStep[],
): readonly (ActionStep & Step)[] {
  if (!changed.some(({ path }) => path.includes('/slice.d/'))) return [];
  const isOver = files.length === 0;
  const parameters: LaterParameters = {
    before: equalSets(before, all) ? '' : printIndexSet(before),
    after: isOver ? '' : printIndexSet(system),
    all: printIndexSet(open),
  };
  const narrow = `confine slices that are made meanwhile and later to the system CPUs ${listText(system)}`;
  const wide = 'give slices that were made meanwhile all CPUs';
  return [
    {
      kind: 'action',
      action: 'cpus.later',
      parameters: { ...parameters },
      does: isOver ? wide : narrow,
      doesBack: isOver ? narrow : wide,
      subjects: ['AllowedCPUs of all slices'],
      purpose: 'no slice is left out',
    },
  ];
}

/** Before the file for all slices the step that takes back what came of it while it was there. */
function withBack(
  written: readonly (FileStep & Step)[],
  wanted: Wanted,
  later: readonly (ActionStep & Step)[],
): readonly Step[] {
  const at = written.findIndex(({ path }) => path.includes('/slice.d/'));
  if (at < 0) return written;
  const units: LaterParameters['units'] = wanted.units
    .filter(({ unit }) => written.some(({ path }) => path.includes(`/${unit}.d/`)))
    .map(({ unit, cpus }) => ({ unit, cpus: printIndexSet(cpus) }));
  const back = later.map((step) => ({
    ...step,
    parameters: { ...step.parameters, onlyBack: true, units },
    does: 'note the slices that are there',
    purpose: 'so that an undo knows those that came',
  }));
  return [...written.slice(0, at), ...back, ...written.slice(at)];
}

/** It reads its list of CPUs when it starts. */
function irqbalanceSteps({ irqbalance }: CpuFacts, changed: readonly FileStep[]): readonly Step[] {
  const isTold = changed.some(({ path }) => /irqbalance/.test(path));
  if (!isTold || !irqbalance?.isRunning) return [];
  const purpose = 'it reads which CPUs it leaves alone when it starts';
  return [{ kind: 'unit', manager: 'system', unit: 'irqbalance.service', verb: 'restart', purpose }];
}

interface Change {
  readonly before: Wanted;
  readonly wanted: Wanted;
}

function checks(facts: CpuFacts, { before, wanted }: Change): readonly Step[] {
  const freed = intersection(without(wanted.system, before.system), facts.topology.online);
  const payload = intersection(without(wanted.all, wanted.system), facts.topology.online);
  const wide: WideExpectation = { cpus: printIndexSet(before.system) };
  const payloadSlices = wanted.units.flatMap(({ unit, role }) => (role === 'payload' ? [unit] : []));
  // What plans say of these in their notes: nobody confines them. Of the cgroupfs driver, the pods' groups are no units.
  const podsGroups = podsTops(facts).flatMap((name) => (name.endsWith('.slice') ? [] : [`/${name}`]));
  const except = [...payloadSlices, ...wanted.left, ...podsGroups].join(' ');
  const held: HeldExpectation = { payload: printIndexSet(payload), except };
  return [
    ...(freed.length > 0
      ? [check('cpus.wide', { ...wide }, `no task is left narrow, and CPUs ${listText(freed)} are open to all again`)]
      : []),
    ...(payload.length > 0
      ? [check('cpus.held', { ...held }, `no other process can run on the payload CPUs ${listText(payload)}`)]
      : []),
  ];
}

function check(name: string, expect: Readonly<Record<string, string>>, purpose: string): Step {
  return { kind: 'check', check: name, expect, purpose };
}
