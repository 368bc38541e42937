import { printIndexSet } from '../../core/cpuset.ts';
import { badInput, type ErrorCode, quote, SlicectlError } from '../../core/errors.ts';
import type { AskedLimits } from '../../core/limits.ts';
import { sliceLevels, sliceName, slicePath } from '../../core/unit-name.ts';
import { readGroupTree } from '../../cpus/groups.ts';
import { type FixedGround, PLAIN_LEASE, previewLease, type TakenLease, takeLease } from '../../cpus/lease/lease.ts';
import type { LeaseChoice, LeaseRequest } from '../../cpus/lease/pick.ts';
import { type LeaseStore, openLeases } from '../../cpus/lease/store.ts';
import { readRecords } from '../../cpus/record.ts';
import type { Reservation } from '../../cpus/roles.ts';
import { readLayout, readMembership } from '../../host/cgroups.ts';
import { interruptLoad, readInterrupts } from '../../host/interrupts.ts';
import { HOST } from '../../host/paths.ts';
import { openTree } from '../../host/root-tree.ts';
import { readSelf, type Self } from '../../host/self.ts';
import { readTopology } from '../../host/topology.ts';
import type { LaunchOptions, Placement } from '../../job/launch.ts';
import type { Launcher } from '../../job/launcher.ts';
import type { RunOptions } from '../run-options.ts';

/** The lease of `--exclusive`, and what the run has to do with it. */
export interface RunLease {
  /** The options with what the lease adds to them. */
  readonly given: RunOptions;
  /** `2-3`. */
  readonly cpus: string;
  readonly notes: readonly string[];
  readonly placed: (where: Placement) => void;
  /** From here on the lease lasts as long as the job, whatever becomes of slicectl. */
  readonly started: () => void;
  /** Gives it back where nothing of the job runs any more. */
  readonly ended: (leftRunning: number) => void;
  /** Gives it back where the job was not started. */
  readonly failed: (error: unknown) => void;
}

/** Errors after which systemd may have started a service all the same. */
const UNSURE: readonly ErrorCode[] = ['E_BUS_LOST', 'E_NO_BUS', 'E_TIMEOUT', 'E_FILE', 'E_GATE'];

/** Takes the cores that `--exclusive` asks for; with `--dry-run` only chooses them. `limits` are the run's own. */
export async function leaseFor(
  given: RunOptions,
  limits: LaunchOptions['limits'],
  launcher: Launcher,
  command: string,
): Promise<RunLease> {
  const self = readSelf();
  const request = requestOf(given, limits);
  if (launcher.backend.kind === 'systemd') assertRulesCpuset();
  const isOfSystem = launcher.backend.kind === 'systemd' && managerOf(given, self) === 'system';
  const slice = sliceOf(given, request, isOfSystem);
  const ground = readGround(slice, isOfSystem, given);
  const store = openLeases(self, HOST);
  const taken: LeaseChoice & Partial<TakenLease> = given.dryRun
    ? previewLease(store, ground, request)
    : await takeLease(store, ground, request, command);
  const cpus = printIndexSet(taken.cpus);
  const property = (given.property as readonly string[] | undefined) ?? [];
  return {
    given: { ...given, ...(slice !== undefined && { slice }), property: [...property, `AllowedCPUs=${cpus}`] },
    cpus,
    notes: notesOn(taken, cpus, request, store, given.dryRun === true),
    ...lifeOf(taken),
  };
}

function lifeOf(taken: Partial<TakenLease>): Pick<RunLease, 'placed' | 'started' | 'ended' | 'failed'> {
  let state: 'taken' | 'placed' | 'started' = 'taken';
  return {
    placed: ({ unit, group }) => {
      state = 'placed';
      taken.bind?.({ unit, group });
    },
    started: () => {
      state = 'started';
    },
    ended: (leftRunning) => {
      if (leftRunning === 0) taken.release?.();
    },
    failed: (error) => {
      const isUnsure = error instanceof SlicectlError && UNSURE.includes(error.code);
      if (state === 'taken' || (state === 'placed' && !isUnsure)) taken.release?.();
    },
  };
}

const managerOf = (given: RunOptions, { uid }: Self): 'system' | 'user' =>
  given.user ? 'user' : given.system || uid === 0 ? 'system' : 'user';

/** systemd.resource-control(5): AllowedCPUs= works in the unified hierarchy alone. */
function assertRulesCpuset(): void {
  if (readLayout(HOST).mode === 'unified') return;
  throw new SlicectlError(
    'E_CONTROLLER',
    '--exclusive cannot be held here by systemd, which rules cpuset in cgroup v2 alone',
    {
      hint: `boot with systemd.unified_cgroup_hierarchy=1, or go beside it: ${PLAIN_LEASE} …`,
    },
  );
}

function requestOf(given: RunOptions, limits: LaunchOptions['limits']): LeaseRequest {
  const names = Array.isArray(limits) ? (limits as AskedLimits).map(({ name }) => name) : Object.keys(limits ?? {});
  if (names.includes('AllowedCPUs')) {
    throw badInput('--exclusive and AllowedCPUs contradict each other: both say which CPUs', 'give one of them');
  }
  if (given.bestEffort) {
    throw badInput('--exclusive and --best-effort contradict each other', 'a lease that is not held is none: give one');
  }
  const node = given.numaNode as string | undefined;
  const reservation = given.reservation as string | undefined;
  return {
    cores: wholeNumber('--exclusive', given.exclusive as string),
    node: node === undefined ? undefined : wholeNumber('--numa-node', node),
    reservation: reservation === undefined ? undefined : sliceName(reservation),
  };
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw badInput(`${option} ${quote(text)} is not a number`, `write for example ${option} 1`);
}

/** Other groups may not run on the CPUs of a reservation, so that the job has to be in its slice. */
function sliceOf(given: RunOptions, { reservation }: LeaseRequest, isOfSystem: boolean): string | undefined {
  const slice = given.slice as string | undefined;
  if (reservation === undefined) return slice;
  if (!isOfSystem) {
    throw badInput(
      `--reservation ${reservation} is a slice of the system's systemd, and the job would not be in it`,
      'run it as root with systemd',
    );
  }
  if (given.sliceInherit) throw badInput('--reservation and --slice-inherit contradict each other', 'give one of them');
  if (slice === undefined) return reservation;
  if (sliceLevels(sliceName(slice))[0] === reservation) return slice;
  throw badInput(
    `--slice ${slice} is not in ${reservation}, and only that slice may run on its CPUs`,
    'leave out --slice or --reservation',
  );
}

function readGround(slice: string | undefined, isOfSystem: boolean, given: RunOptions): FixedGround {
  const topology = readTopology(HOST);
  const readReservations = (): readonly Reservation[] =>
    readRecords(openTree(undefined)).map(({ name, cpus }) => ({ name, cpus }));
  const interrupts = readInterrupts(HOST, topology.possible.at(-1) ?? 0);
  const tree = readGroupTree(HOST, topology.online);
  const own = readMembership(HOST, 'self');
  const place =
    isOfSystem && !given.sliceInherit
      ? slicePath(slice ?? 'system.slice')
      : ((tree?.version === 1 ? own?.v1.get('cpuset') : own?.v2) ?? '');
  const known = new Map((tree?.groups ?? []).map(({ path, effective }) => [path, effective] as const));
  let at = place;
  while (at !== '' && !known.has(at)) at = at.slice(0, at.lastIndexOf('/'));
  const open = known.get(at) ?? tree?.root ?? topology.online;
  return { topology, interrupts: interruptLoad(interrupts), readReservations, open, place: place || '/' };
}

function notesOn(
  { reasons }: LeaseChoice,
  cpus: string,
  { reservation }: LeaseRequest,
  { world }: LeaseStore,
  isDry: boolean,
): string[] {
  const what = `CPUs ${cpus} ${isDry ? 'would be' : 'are'} leased for this job: ${reasons.join(', ')}`;
  return [
    what,
    ...(world === 'user'
      ? ['the lease counts among your own jobs: those of root and of other users do not see it']
      : []),
    ...(reservation === undefined
      ? ['services may still run on leased CPUs; slicectl cpus reserve and --reservation keep them away']
      : []),
  ];
}
