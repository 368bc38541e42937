import type { Plan, Services } from '../backend/backend.ts';
import { badInput, SlicectlError } from '../core/errors.ts';
import type { AskedLimits } from '../core/limits.ts';
import { readCpus } from '../host/machine.ts';
import { readCounters } from './counters.ts';
import { checkCredentials } from './credentials.ts';
import type { Gate } from './gate.ts';
import { jobContext, type LaunchOptions, type Launchpad, placement, prepare } from './launch.ts';
import { allowance, limitsEnv } from './limits-env.ts';
import { type InForce, mustHold, type Proof, prove } from './proof.ts';
import { Job } from './running.ts';

/** What a service has besides, or other than, a job that slicectl starts itself. */
export interface ServiceOptions extends Omit<LaunchOptions, 'env' | 'stdio' | 'openFiles'> {
  /** Set for the service; of the caller's environment it has nothing. */
  readonly setenv?: Readonly<Record<string, string>>;
  /** Files that stand for standard output and error; default: the journal. */
  readonly output?: { readonly stdout: string; readonly stderr: string };
  readonly expandEnvironment?: boolean;
}

/** A service that goes on without slicectl. */
export interface DetachedService {
  readonly unit: string;
  readonly cgroup: string;
  readonly notes: readonly string[];
  readonly inForce: readonly InForce[];
}

/** What starting the service would send. */
export async function planService(
  pad: Launchpad,
  command: string,
  args: readonly string[],
  options: ServiceOptions,
  isAwaited: boolean,
): Promise<Plan> {
  return servicesOf(pad).plan(serviceRequest(pad, command, args, options, isAwaited).request);
}

/**
 * Has systemd start the command, waits for its end, and gives the same receipt as for a scope. The service's slice is made
 * first, so that every limit is proved before the command starts.
 */
export async function launchService(
  pad: Launchpad,
  command: string,
  args: readonly string[],
  options: ServiceOptions,
): Promise<Job> {
  const services = servicesOf(pad);
  const { asked, request } = serviceRequest(pad, command, args, options, true);
  const plan = await services.plan(request);
  try {
    const files = await services.makeSlice(plan);
    const proof = prove(files, { ...plan, asked, paths: pad.paths, leaf: undefined });
    if (!request.bestEffort) mustHold(proof);
    const before = readCounters(files);
    options.placed?.(placement(plan.unit, files));
    const { group, mainPid, ended } = await services.start(plan);
    if (!ended) throw new Error('an awaited service has an end');
    const gate: Gate = {
      pid: mainPid,
      stdin: null,
      stdout: null,
      stderr: null,
      exited: ended,
      hasExited: false,
      release: () => undefined,
      close: async () => undefined,
    };
    const parts = { plan, group, gate, proof, asked, before, notes: notesOf(plan, proof) };
    return new Job({ ...parts, ...jobContext(pad, [command, ...args], options) }, {});
  } catch (error) {
    await services.drop(plan);
    throw error;
  }
}

/**
 * Has systemd start the command and lets it go on alone; systemd removes the unit when it ends. Its limits are proved
 * before, on an empty slice beside it, since a short command is over before its own group could be read.
 */
export async function startDetached(
  pad: Launchpad,
  command: string,
  args: readonly string[],
  options: ServiceOptions,
): Promise<DetachedService> {
  const services = servicesOf(pad);
  const { asked, request } = serviceRequest(pad, command, args, options, false);
  const probe = await services.plan({ ...request, isAwaited: true });
  const { proof, path } = await provedBeside(services, probe, pad, asked);
  if (!request.bestEffort) mustHold(proof);
  const plan = await services.plan(request);
  options.placed?.({ unit: plan.unit, group: undefined });
  const { group } = await services.start(plan);
  options.placed?.(placement(group.unit, group.files));
  const cgroup = group.files.path;
  const inForce = proof.inForce.map((one) => (one.cgroup === path ? { ...one, cgroup } : one));
  return { unit: group.unit ?? '', cgroup, notes: notesOf(plan, proof), inForce };
}

async function provedBeside(services: Services, probe: Plan, { paths }: Launchpad, asked: AskedLimits) {
  try {
    const files = await services.makeSlice(probe);
    return { proof: prove(files, { ...probe, asked, paths, leaf: undefined }), path: files.path };
  } finally {
    await services.drop(probe);
  }
}

function notesOf(plan: Plan, proof: Proof): string[] {
  return [...plan.notes.map(({ text }) => text), ...proof.findings.map(({ text }) => text)];
}

function servicesOf({ backend }: Launchpad): Services {
  if (backend.services) return backend.services;
  throw new SlicectlError('E_INPUT', `a service needs systemd, and this is ${backend.label}`, {
    hint: 'leave --service out',
  });
}

function serviceRequest(
  pad: Launchpad,
  command: string,
  args: readonly string[],
  options: ServiceOptions,
  isAwaited: boolean,
) {
  const { uid, gid, ...rest } = options;
  if (uid !== undefined || gid !== undefined) checkCredentials(pad.self, uid, gid);
  const { file, asked, request, gate } = prepare(pad, command, args, rest);
  const setenv = Object.entries(options.setenv ?? {});
  for (const [name] of setenv) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw badInput(`systemd takes no variable named ${name}`, 'names have letters, digits and _');
  }
  // The groups above are not known before the slice is made; what was asked is.
  const own: InForce[] = asked.map(({ name, value, text }) => ({ limit: name, value, cgroup: '', asked: text }));
  const told = options.limitsEnv
    ? limitsEnv(allowance(own, readCpus(pad.paths).online.length), options.setenv ?? {})
    : {};
  const env = [...setenv, ...Object.entries(told)].map(([name, value]) => `${name}=${value}`);
  return {
    asked,
    request: {
      ...request,
      file,
      argv: [command, ...args],
      cwd: gate.cwd,
      env,
      uid: uid === undefined ? undefined : String(uid),
      gid: gid === undefined ? undefined : String(gid),
      nice: options.nice,
      output: options.output,
      expandEnvironment: options.expandEnvironment ?? false,
      isAwaited,
    },
  };
}
