import type { SystemdLink } from '../backend/systemd-link.ts';
import { fileStep, removeFileStep } from '../change/file-step.ts';
import { isRunning } from '../change/invert.ts';
import type { Refusal, Step } from '../change/plan.ts';
import type { UnitControl } from '../change/units.ts';
import { badInput, quote } from '../core/errors.ts';
import { MANAGER_INTERFACE, MANAGER_PATH, type UnitStatus } from '../dbus/systemd1.ts';
import type { RootTree } from '../host/root-tree.ts';
import { execLine } from './boot-unit.ts';
import type { ReservationRecord } from './model.ts';

type Watched = Pick<ReservationRecord, 'name' | 'whileUnit'>;

/** `db.slice` → `slicectl-while-db.service`, which stands for the reservation as long as its unit runs. */
export function whileService(slice: string): string {
  return `slicectl-while-${slice.replace(/\.slice$/, '')}.service`;
}

function whilePath(slice: string): string {
  return `/run/systemd/system/${whileService(slice)}`;
}

/** Units that can end: those of systemd.unit(5) without slices, which stay, and devices, which systemd does not rule. */
const KINDS = /^[\w:\-.\\@]{1,245}\.(?:service|scope|socket|mount|automount|swap|target|path|timer)$/;

/** `E_INPUT` for what is no name of a unit with an end. */
export function checkWhileUnit(unit: string): string {
  if (KINDS.test(unit) && !unit.includes('@.')) return unit;
  throw badInput(
    `--while-unit ${quote(unit)} is no unit that can end`,
    'write its whole name, such as machine-qemu\\x2d1\\x2ddb.scope, as systemctl list-units has it',
  );
}

/**
 * The steps that release a reservation when its unit ends, in whatever way: a service that systemd stops with the unit, and
 * whose stop command releases. None where all is so already; `isWatching` says whether that service runs. `program` are
 * the words that start slicectl, the program's file absolute.
 */
export function whileUnitSteps(
  tree: RootTree,
  record: Watched,
  program: readonly string[],
  isWatching = true,
): readonly Step[] {
  const { name, whileUnit } = record;
  if (whileUnit === undefined) return forgetWhileUnit(tree, record);
  const purpose = `releases ${name} when ${whileUnit} ends`;
  const text = serviceText(name, checkWhileUnit(whileUnit), program);
  const file = fileStep(tree, whilePath(name), Buffer.from(text), purpose);
  if (file.length === 0 && isWatching) return [];
  const start = { kind: 'unit', manager: 'system', unit: whileService(name), verb: 'start', purpose } as const;
  // A service that watched another unit before must not release for that one while it is started anew.
  const isOther = tree.text(whilePath(name)) !== undefined && file.length > 0;
  const stop = { ...start, verb: 'stop', purpose: 'its unit is another one now' } as const;
  return [...file, ...(file.length === 0 ? [] : [RELOAD]), ...(isOther ? [stop] : []), start];
}

/**
 * The steps after which nothing watches the unit any more. Its file goes before the service is stopped: without one systemd
 * has no stop command, which would wait for the lock that this change has. `isStopping` for the plan of that stop command
 * itself, which must not wait for its own service, nor have systemd forget how long it may take.
 */
export function forgetWhileUnit(tree: RootTree, { name }: Pick<Watched, 'name'>, isStopping = false): readonly Step[] {
  const purpose = `nothing is left to release for ${name}`;
  const file = removeFileStep(tree, whilePath(name), purpose);
  if (file.length === 0) return [];
  const stop = { kind: 'unit', manager: 'system', unit: whileService(name), verb: 'stop', purpose } as const;
  return isStopping ? file : [...file, RELOAD, stop];
}

/** For the stop command of that service, which would wait for itself if it had its service stopped. */
export function asStopOf(control: UnitControl, slice: string): UnitControl {
  const own = whileService(slice);
  return { ...control, job: (verb, unit) => (unit === own ? Promise.resolve() : control.job(verb, unit)) };
}

const RELOAD: Step = { kind: 'reload', manager: 'system', purpose: 'systemd reads the unit that watches' };

/** A release widens many units, each with a proof, and may wait for another change to end. */
const STOP_SECONDS = 600;

/**
 * The second command goes on where the first was killed, and else finds nothing to do: how that ends is how all ended.
 * Without After=: the service is started while its unit still starts, by ExecStartPost= of that, which would wait for
 * itself; and what is bound so is stopped by systemd whenever it finds the unit down, however they came there
 * (systemd.unit(5), BindsTo=).
 */
function serviceText(slice: string, unit: string, program: readonly string[]): string {
  const release = execLine([...program, 'cpus', 'release', slice, '--yes', '--ended']);
  return `# Written by slicectl cpus reserve --while-unit. slicectl cpus release removes it.
[Unit]
Description=Release the CPUs of ${slice} when ${unit} ends
Documentation=man:slicectl-cpus(1)
BindsTo=${unit}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStop=-${release}
ExecStopPost=${release}
TimeoutStopSec=${STOP_SECONDS}
`;
}

/** How the unit of a reservation stands. */
export type WhileState = 'runs' | 'ending' | 'ended' | 'shutting-down';

/**
 * A unit has ended where it is not active any more, and also where systemd is about to stop it. A restart is no end, nor
 * is the time until one by Restart=. `ending`: it goes down by itself, and only afterwards shows whether it comes again.
 * `shutting-down`: the machine stops, and all that lasts until reboot with it.
 */
export async function whileState(link: SystemdLink, unit: string): Promise<WhileState> {
  return link.persist(async ({ manager }) => {
    if ((await manager.get(MANAGER_PATH, MANAGER_INTERFACE, 'SystemState')) === 'stopping') return 'shutting-down';
    // A unit that is not loaded is listed as inactive.
    const [found] = await manager.listUnitsByNames([unit]);
    return found === undefined ? 'ended' : stateOf(found);
  });
}

function stateOf({ activeState, jobType }: Pick<UnitStatus, 'activeState' | 'jobType'>): WhileState {
  if (jobType === 'stop') return 'ended';
  if (isRunning(activeState) || jobType === 'start' || jobType === 'restart') return 'runs';
  return activeState === 'deactivating' ? 'ending' : 'ended';
}

/** How the service of {@link whileUnitSteps} stands. `releases`: its stop command runs, or is about to. */
export type WatcherState = 'watches' | 'releases' | 'stopped';

export async function watcherState(link: SystemdLink | undefined, slice: string): Promise<WatcherState> {
  const [found] = (await link?.persist(({ manager }) => manager.listUnitsByNames([whileService(slice)]))) ?? [];
  if (found?.activeState === 'deactivating' || found?.jobType === 'stop') return 'releases';
  return found !== undefined && isRunning(found.activeState) ? 'watches' : 'stopped';
}

/** Whether that service runs. */
export async function isWatching(link: SystemdLink | undefined, slice: string): Promise<boolean> {
  return (await watcherState(link, slice)) === 'watches';
}

/** Why a reservation cannot last as long as its unit. Without systemd nothing can be reserved anyway. */
export async function whileRefusals(
  link: SystemdLink | undefined,
  { whileUnit }: Pick<Watched, 'whileUnit'>,
): Promise<readonly Refusal[]> {
  if (whileUnit === undefined) return [];
  const name = checkWhileUnit(whileUnit);
  if (link === undefined || (await whileState(link, name)) === 'runs') return [];
  return [
    {
      reason: `${name} does not run, so that nothing would ever release the reservation`,
      hint: `start it first, or leave out --while-unit; systemctl status ${quote(name)} says how it is`,
    },
  ];
}
