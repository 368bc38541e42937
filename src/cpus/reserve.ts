import type { Plan, PlanNote, Refusal, Step } from '../change/plan.ts';
import { equalSets, intersection, union } from '../core/cpuset.ts';
import { badInput, SlicectlError } from '../core/errors.ts';
import { sliceLevels, sliceName } from '../core/unit-name.ts';
import { interruptLoad } from '../host/interrupts.ts';
import { coresOf } from '../host/topology.ts';
import { forecast } from './forecast.ts';
import { type StayingLine, stayingLines } from './kernel-steps.ts';
import { kubeletShare } from './kubelet/plan.ts';
import type { JobCpus } from './lease/jobs.ts';
import type { CpuFacts, PartitionType, ReservationRecord } from './model.ts';
import { type Choice, type PickRequest, pick } from './pick.ts';
import { recordPath } from './record.ts';
import { type Asker, hostRefusals, nameRefusals, refusalsOf } from './refusals.ts';
import { type Ground, listText } from './roles.ts';
import { groupsToNote, payloadOf, systemSet } from './shares.ts';
import type { CpuHost } from './show.ts';
import { type ExtraSteps, stepsTo } from './steps.ts';
import { unleasedSteps } from './unleased.ts';
import { UNMOVED_PATH, unmovedReason } from './unmoved.ts';
import { wantedFor } from './want.ts';
import { isWatching, whileRefusals, whileUnitSteps } from './while-unit.ts';

export interface ReserveRequest {
  /** The payload slice; with `kubelet` that of the pods. */
  readonly name: string;
  readonly pick: PickRequest;
  /** `--keep`: top-level slices that stay as they are. */
  readonly keep: readonly string[];
  readonly memoryNodes: boolean;
  readonly partition: PartitionType | undefined;
  readonly interrupts: boolean;
  readonly workqueues: boolean;
  readonly kernelThreads: boolean;
  readonly kubelet: boolean;
  /** Whether no pods run on this node, so that the kubelet may be stopped and its state dropped. */
  readonly drained: boolean;
  readonly whileUnit: string | undefined;
  readonly runtime: boolean;
  /** Jobs that have CPUs for themselves now. */
  readonly leases: readonly JobCpus[];
}

/**
 * The plan that gives a slice CPUs of its own, or changes which it has; without steps where all is so already. Writes
 * nothing. What this host or others keep it from is a refusal of the plan; `E_INPUT` for what cannot be meant.
 */
export async function planReserve(facts: CpuFacts, host: CpuHost & Asker, request: ReserveRequest): Promise<Plan> {
  checkRequest(request);
  const { name } = request;
  const early = [...hostRefusals(facts, host), ...nameRefusals(name)];
  const others = facts.records.filter((record) => record.name !== name);
  const ground: Ground = {
    topology: facts.topology,
    reservations: others,
    interrupts: interruptLoad(facts.interrupts),
  };
  const chosen = choose(facts, ground, request);
  if ('reason' in chosen) return refused(`reserve CPUs for ${name}`, [...early, chosen]);
  const record = recordOf(facts, chosen, request);
  const records = [...others, record].sort((a, b) => (a.name < b.name ? -1 : 1));
  const title = `reserve payload CPUs ${listText(chosen.payload)} for ${name}`;
  if (early.length > 0) return { ...refused(title, early), notes: [rolesNote(facts, chosen, record, records)] };
  const share = request.kubelet ? await shareOfKubelet(facts, host, request, records) : undefined;
  const intent = { record, records, leases: request.leases };
  return {
    title,
    root: host.tree.root,
    steps: afterRecord(
      record,
      stepsTo(facts, wantedFor(facts, records), host, share?.steps),
      whileUnitSteps(host.tree, record, facts.boot.program, await isWatching(host.system, name)),
    ),
    refusals: [
      ...refusalsOf(facts, ground, intent),
      ...(share?.refusals ?? []),
      ...(await whileRefusals(host.system, record)),
    ],
    notes: [
      rolesNote(facts, chosen, record, records),
      ...chosen.notes,
      ...changeNotes(facts, record),
      ...ownSetNotes(facts, record),
      ...(share?.notes ?? []),
      ...forecast(facts, record, records),
      ...immovable(facts, record, records),
    ],
  };
}

/**
 * Whoever watches the unit does so from the time that the record is there, by which it knows what to release, and before
 * anybody loses a CPU: a slicectl that is killed then leaves nothing that outlives the unit. No job gets these CPUs for
 * itself from then on, so that a look at the jobs is final; an early one keeps it from being begun for nothing.
 */
function afterRecord(record: ReservationRecord, steps: readonly Step[], watch: readonly Step[]): readonly Step[] {
  const at = steps.findIndex((step) => step.kind === 'file' && step.path === recordPath(record)) + 1;
  if (at === 0) return [...watch, ...steps];
  const { before, after } = unleasedSteps(record);
  return [before, ...steps.slice(0, at), ...watch, after, ...steps.slice(at)];
}

function checkRequest({ name, keep }: ReserveRequest): void {
  if (name !== 'init.scope') sliceName(name);
  for (const slice of keep) {
    sliceName(slice);
    if (slice === name) throw badInput(`--keep ${slice} is the payload slice itself`, 'leave it out');
    if (sliceLevels(slice).length !== 1) {
      const top = sliceLevels(slice)[0];
      throw badInput(
        `--keep ${slice} is not a top-level slice, so that what is above it would confine it`,
        top === undefined ? 'name slices right below the root' : `keep ${top}`,
      );
    }
  }
}

function refused(title: string, refusals: readonly Refusal[]): Plan {
  return { title, root: '/', steps: [], refusals, notes: [] };
}

/** The choice, or why there is none. */
function choose(facts: CpuFacts, ground: Ground, request: ReserveRequest): Choice | Refusal {
  const { leases, name } = request;
  const leased = union(...leases.filter(({ within }) => within !== name).map(({ cpus }) => cpus));
  const asked = request.pick;
  try {
    // Jobs that have cores are in the way of a choice, and a refusal of CPUs that are named.
    if (asked.cpus !== undefined) return pick(ground, asked);
    return keepChoice(facts, ground, request) ?? pick(ground, { ...asked, avoid: union(asked.avoid ?? [], leased) });
  } catch (error) {
    if (!(error instanceof SlicectlError) || error.code !== 'E_REFUSED') throw error;
    return { reason: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
  }
}

/** The CPUs that the slice has already, where they are such a choice: a request made twice does nothing. */
function keepChoice(facts: CpuFacts, ground: Ground, { name, pick: asked }: ReserveRequest): Choice | undefined {
  const { cores, ...rest } = asked;
  const now = facts.records.find((record) => record.name === name)?.cpus;
  if (now === undefined || coresOf(facts.topology, now).length !== cores) return undefined;
  try {
    const choice = pick(ground, { ...rest, cpus: now, wholeCores: true });
    return { ...choice, reasons: ['the slice has them already', ...choice.reasons.slice(1)] };
  } catch (error) {
    if (error instanceof SlicectlError && error.code === 'E_REFUSED') return undefined;
    throw error;
  }
}

function recordOf(facts: CpuFacts, { payload, nodes }: Choice, request: ReserveRequest): ReservationRecord {
  const lasts = !request.runtime && request.whileUnit === undefined;
  const now = facts.records.find((record) => record.name === request.name);
  const { name, keep, memoryNodes, partition, interrupts, workqueues, kernelThreads, kubelet, whileUnit } = request;
  return {
    name,
    cpus: payload,
    memoryNodes: memoryNodes ? nodes : [],
    keep: [...new Set(keep)].sort(),
    groups: lasts ? groupsToNote(facts, now?.groups) : [],
    partition,
    interrupts,
    workqueues,
    kernelThreads,
    kubelet,
    runtime: !lasts,
    whileUnit,
  };
}

interface Share {
  readonly steps: ExtraSteps;
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

async function shareOfKubelet(
  facts: CpuFacts,
  host: CpuHost,
  { drained }: ReserveRequest,
  records: readonly ReservationRecord[],
): Promise<Share> {
  if (facts.kubelet === undefined) {
    const reason = 'there is no kubelet on this host for --kubelet';
    return { steps: { stop: [], files: [], start: [] }, refusals: [{ reason, hint: 'leave it out' }], notes: [] };
  }
  const payload = payloadOf(records.filter(({ kubelet }) => kubelet));
  return kubeletShare(facts, host, { system: systemSet(facts, records), payload, drained });
}

/** Both sets by their roles, as they are online, and why these. */
function rolesNote(
  facts: CpuFacts,
  { reasons }: Choice,
  { name, cpus }: ReservationRecord,
  records: readonly ReservationRecord[],
): PlanNote {
  const system = intersection(systemSet(facts, records), facts.topology.online);
  const others = records.filter((record) => record.name !== name);
  return {
    severity: 'info',
    text: `payload CPUs ${listText(cpus)} for ${name}, system CPUs ${listText(system)}`,
    items: [...reasons, ...others.map((other) => `also reserved: ${listText(other.cpus)} for ${other.name}`)],
  };
}

/** What of a reservation that is there changes with it. */
function changeNotes({ records }: CpuFacts, record: ReservationRecord): readonly PlanNote[] {
  const now = records.find(({ name }) => name === record.name);
  if (now === undefined) return [];
  const words = (one: ReservationRecord): readonly string[] => [
    `CPUs ${listText(one.cpus)}`,
    one.memoryNodes.length === 0 ? 'any memory node' : `memory nodes ${listText(one.memoryNodes)}`,
    one.partition === undefined ? 'no partition' : `partition ${one.partition}`,
    one.keep.length === 0 ? 'no slice kept' : `keeps ${one.keep.join(' ')}`,
    `${one.interrupts ? 'with' : 'without'} interrupts`,
    `${one.workqueues ? 'with' : 'without'} workqueues`,
    `${one.kernelThreads ? 'with' : 'without'} kernel threads`,
    one.runtime ? 'until reboot' : 'for good',
    one.whileUnit === undefined ? 'by itself' : `with ${one.whileUnit}`,
  ];
  const after = words(record);
  const items = words(now).flatMap((word, at) => (word === after[at] ? [] : [`${word} → ${after[at]}`]));
  return items.length === 0
    ? []
    : [{ severity: 'info', text: `${record.name} has a reservation, which changes`, items }];
}

/** What the payload slice says itself, which the files of the reservation are read after. */
function ownSetNotes({ units }: CpuFacts, { name, cpus }: ReservationRecord): readonly PlanNote[] {
  const given = units.find((unit) => unit.name === name)?.given ?? [];
  if (given.length === 0 || equalSets(given, cpus)) return [];
  const text = `${name} has CPUs of its own, ${listText(given)}, which its reservation replaces until it is released`;
  return [{ severity: 'warning', text, items: [`systemctl cat ${name} shows where they are said`] }];
}

/** Interrupts that come on payload CPUs whatever is asked for. */
function immovable(
  facts: CpuFacts,
  { cpus }: ReservationRecord,
  records: readonly ReservationRecord[],
): readonly PlanNote[] {
  const change = { before: wantedFor(facts, facts.records), wanted: wantedFor(facts, records) };
  const staying = stayingLines(facts, change, cpus);
  const line = ({ number, name, on }: StayingLine): string => `${number} ${name}: on ${listText(on)}`;
  const managed = staying.filter(({ unmoved }) => unmoved === undefined).map(line);
  const tried = staying.flatMap((one) => (one.unmoved ? [`${line(one)}, ${unmovedReason(one.unmoved)}`] : []));
  return [
    ...warningUnless(managed, 'the kernel itself places these interrupts on payload CPUs, and they stay'),
    ...warningUnless(
      tried,
      `the kernel did not move these interrupts off payload CPUs when it was told to, and they stay: without ${UNMOVED_PATH} they are tried again`,
    ),
  ];
}

function warningUnless(items: readonly string[], text: string): readonly PlanNote[] {
  return items.length === 0 ? [] : [{ severity: 'warning', text, items }];
}
