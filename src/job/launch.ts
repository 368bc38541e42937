import { constants, setPriority } from 'node:os';
import type { Backend, Group, GroupRequest, Plan } from '../backend/backend.ts';
import { badInput, errnoOf, quote, SlicectlError } from '../core/errors.ts';
import { type AskedLimits, type LimitsInput, limits } from '../core/limits.ts';
import type { Machine } from '../core/quantity.ts';
import type { ControlFiles } from '../host/control-files.ts';
import { readCpus } from '../host/machine.ts';
import type { HostPaths } from '../host/paths.ts';
import type { Self } from '../host/self.ts';
import { checkFolder, findCommand } from './command.ts';
import { readCounters } from './counters.ts';
import { checkCredentials } from './credentials.ts';
import { type Gate, type GateOptions, startGate } from './gate.ts';
import { allowance, limitsEnv } from './limits-env.ts';
import { checkIndices } from './online.ts';
import { mustHold, type Proof, prove } from './proof.ts';
import { Job, type JobContext, type Leftover } from './running.ts';

/** How a job is to be started. Everything has a default: a job without options runs as the command would. */
export interface LaunchOptions {
  /** systemd's property names with systemd's text: `{ CPUQuota: '50%', MemoryMax: '1G' }`. */
  readonly limits?: LimitsInput | AskedLimits;
  readonly slice?: string;
  readonly sliceInherit?: boolean;
  readonly unit?: string;
  readonly description?: string;
  readonly uid?: string | number;
  readonly gid?: string | number;
  readonly cwd?: string;
  /** The whole environment of the job; default: the caller's. */
  readonly env?: NodeJS.ProcessEnv;
  /** -20 to 19. */
  readonly nice?: number;
  readonly stdio?: GateOptions['stdio'];
  /** Kills the job; before its release, launch() rejects with E_ABORTED and nothing has run. */
  readonly signal?: AbortSignal;
  /** Limits that cannot be held are left out or stay without effect, with a note, instead of an error. */
  readonly bestEffort?: boolean;
  /** Sets the variables by which programs learn how much they may use. */
  readonly limitsEnv?: boolean;
  /** What becomes of processes that outlive the first one. Default `leave`. */
  readonly leftover?: Leftover;
  /** The soft limit of open files, where it is to be another than this process's own. */
  readonly openFiles?: number;
  /**
   * Told where the job is, when its limits are proved and before its command runs. Of a service that is not awaited twice:
   * first by its unit alone. What it throws ends the launch.
   */
  readonly placed?: (where: Placement) => void;
  /** Signals that the job ignores from its start, as nohup(1) makes it do with SIGHUP. */
  readonly ignoredSignals?: readonly NodeJS.Signals[];
}

/** Where a job is. */
export interface Placement {
  readonly unit: string | undefined;
  /** The group that carries the limits, and its folder where it has the CPUs that it may use. */
  readonly group: { readonly cgroup: string; readonly folder: string } | undefined;
}

/** What launching needs besides the request. */
export interface Launchpad {
  /** Groups of ended jobs whose processes were left running. */
  readonly left: Set<Group>;
  readonly backend: Backend;
  readonly paths: HostPaths;
  readonly machine: Machine;
  readonly self: Self;
}

/** A request that was checked. */
export interface Prepared {
  readonly file: string;
  readonly asked: AskedLimits;
  readonly request: GroupRequest;
  readonly gate: GateOptions;
}

/** What launch() would do: reads, checks all input, changes nothing. */
export async function planLaunch(
  pad: Launchpad,
  command: string,
  args: readonly string[],
  options: LaunchOptions,
): Promise<Plan> {
  return pad.backend.plan(prepare(pad, command, args, options).request);
}

/**
 * Starts a command under limits: behind its gate it is placed, every limit is read back from the kernel, and only then is
 * it released. When anything fails before that, nothing of the command has run and nothing is left behind.
 */
export async function launch(
  pad: Launchpad,
  command: string,
  args: readonly string[],
  options: LaunchOptions,
): Promise<Job> {
  const { asked, request, gate: gateOptions } = prepare(pad, command, args, options);
  throwIfAborted(options.signal);
  const [planned, gated] = await Promise.allSettled([pad.backend.plan(request), startGate(gateOptions)]);
  if (planned.status === 'rejected' || gated.status === 'rejected') {
    if (gated.status === 'fulfilled') await gated.value.close();
    throw planned.status === 'rejected' ? planned.reason : (gated as PromiseRejectedResult).reason;
  }
  const plan = planned.value;
  const gate = gated.value;
  let group: Group | undefined;
  try {
    group = await placeGated(pad.backend, plan, gate);
    const proof = prove(group.files, { ...plan, asked, paths: pad.paths, leaf: group.leaf });
    if (!request.bestEffort) mustHold(proof);
    if (options.nice !== undefined) beNice(gate.pid, options.nice);
    throwIfAborted(options.signal);
    options.placed?.(placement(group.unit, group.files));
    const notes = [...plan.notes.map(({ text }) => text), ...proof.findings.map(({ text }) => text)];
    const before = readCounters(group.files);
    const parts = { plan, group, gate, proof, asked, before, notes };
    return new Job({ ...parts, ...jobContext(pad, [command, ...args], options) }, releaseEnv(pad, proof, options));
  } catch (error) {
    await gate.close();
    await group?.remove();
    throw error;
  }
}

export function placement(unit: string | undefined, files: ControlFiles): Placement {
  const folder = files.folder('cpuset');
  return { unit, group: folder === undefined ? undefined : { cgroup: files.path, folder } };
}

/** What a job keeps of the request and the launcher. */
export function jobContext(
  { backend, machine, paths, left }: Launchpad,
  command: readonly string[],
  { leftover = 'leave', signal }: Pick<LaunchOptions, 'leftover' | 'signal'>,
): JobContext {
  return { backend, machine, paths, left, command, leftover, signal };
}

async function placeGated(backend: Backend, plan: Plan, gate: Gate): Promise<Group> {
  const group = await backend.place(plan, gate.pid).catch((cause: unknown) => {
    if (!gate.hasExited) throw cause;
    throw new SlicectlError('E_GATE', 'the job was killed before it could be placed', {
      hint: 'start it again',
      cause,
    });
  });
  if (gate.hasExited || !group.contains(gate.pid)) {
    await group.remove();
    throw new SlicectlError('E_GATE', 'the job ended or was moved away before it was released', {
      hint: 'start it again',
    });
  }
  return group;
}

export function prepare(pad: Launchpad, command: string, args: readonly string[], options: LaunchOptions): Prepared {
  const asked = isAsked(options.limits) ? options.limits : limits(options.limits ?? {}, pad.machine);
  checkIndices(pad.paths, asked);
  const cwd = options.cwd === undefined ? pad.self.cwd : checkFolder(options.cwd);
  const base = options.env ?? pad.self.env;
  const { uid, gid } = options;
  const who = uid === undefined && gid === undefined ? undefined : checkCredentials(pad.self, uid, gid);
  const env = { ...base, ...who?.env };
  for (const word of [command, ...args]) {
    if (word.includes('\0')) throw badInput(`the argument ${quote(word)} has a NUL character`, 'leave it out');
  }
  const file = findCommand(command, { cwd, path: env.PATH });
  const request: GroupRequest = {
    limits: asked,
    slice: options.slice,
    sliceInherit: options.sliceInherit ?? false,
    unit: options.unit,
    description:
      options.description ??
      [command, ...args]
        .join(' ')
        .replace(/\p{Cc}+/gu, ' ')
        .slice(0, 200),
    bestEffort: options.bestEffort ?? false,
  };
  const argv = [...(who?.prefix ?? []), command, ...args];
  return {
    file,
    asked,
    request,
    gate: {
      argv,
      env,
      cwd,
      stdio: options.stdio ?? ['inherit', 'inherit', 'inherit'],
      openFiles: options.openFiles,
      ignoredSignals: options.ignoredSignals ?? [],
    },
  };
}

function isAsked(input: LaunchOptions['limits']): input is AskedLimits {
  return Array.isArray(input);
}

function releaseEnv({ paths, self }: Launchpad, { inForce }: Proof, options: LaunchOptions): Record<string, string> {
  if (!options.limitsEnv) return {};
  return limitsEnv(allowance(inForce, readCpus(paths).online.length), options.env ?? self.env);
}

function beNice(pid: number, nice: number): void {
  if (!Number.isInteger(nice) || nice < -20 || nice > constants.priority.PRIORITY_LOW) {
    throw badInput(`--nice ${nice} is not a nice level`, 'write -20 (first) to 19 (last)');
  }
  try {
    setPriority(pid, nice);
  } catch (cause) {
    if (errnoOf(cause) !== 'ERR_SYSTEM_ERROR') throw cause;
    throw new SlicectlError('E_PRIVILEGE', `--nice ${nice} is not allowed to this user`, {
      hint: 'write 0 to 19, or run as root',
      cause,
    });
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new SlicectlError('E_ABORTED', 'the caller aborted the launch', { cause: signal.reason });
}
