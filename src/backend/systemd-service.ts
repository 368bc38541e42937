import { SlicectlError } from '../core/errors.ts';
import type { Controller, DbusProperty } from '../core/properties/row.ts';
import { busErrorName } from '../dbus/errors.ts';
import { typeInterface, UNIT_INTERFACE, unitPath } from '../dbus/systemd1.ts';
import { type ControlFiles, controlFilesV1, controlFilesV2 } from '../host/control-files.ts';
import type { CallStep, Plan, ServiceRequest, Services, StartedService } from './backend.ts';
import { SystemdGroup } from './systemd-group.ts';
import { insist } from './systemd-insist.ts';
import {
  groupProperties,
  jobUnits,
  parentSlice,
  sliceProperties,
  startStep,
  unitProperties,
  withoutAccounting,
} from './systemd-plan.ts';
import { dropSlice, type IsMade, NO_SUCH_UNIT, type SystemdContext, settleFor, startUnit } from './systemd-start.ts';
import { watchService } from './systemd-watch.ts';

/** First version with ExecStartEx and its flags (NEWS 243), and with Type=exec (240). */
const EXEC_FLAGS = 243;

/** Transient services, each in a slice of its own like scopes. */
export class SystemdServices implements Services {
  readonly #context: SystemdContext;

  constructor(context: SystemdContext) {
    this.#context = context;
  }

  async plan(request: ServiceRequest): Promise<Plan> {
    const { facts, nextId } = this.#context;
    const settled = settleFor(this.#context, request.limits, request.bestEffort);
    const own = jobUnits(request, facts, nextId(), '.service');
    const { unit } = own;
    const slice = request.isAwaited ? own.slice : parentSlice(request, facts);
    const properties = [
      ...unitProperties(request, slice, settled, facts.version),
      ...execProperties(request, facts.version),
    ];
    const steps = request.isAwaited
      ? [
          startStep(slice, sliceProperties(request.description, settled.limits, facts.version)),
          startStep(unit, [...properties, ...withoutAccounting(settled.limits, facts.version), ['AddRef', 'b', true]]),
        ]
      : [startStep(unit, [...properties, ...groupProperties(settled.limits, facts.version), ['AddRef', 'b', true]])];
    return { kind: 'systemd', unit, description: request.description, ...settled, steps };
  }

  async makeSlice(plan: Plan): Promise<ControlFiles> {
    const step = calls(plan)[0];
    if (!step) throw new Error('a plan for a service begins with a call');
    await startUnit(this.#context.link, step, isThere(step.unit));
    const files = await this.#files(step.unit);
    await insist(this.#context.link, step.unit, files, plan);
    return files;
  }

  async start(plan: Plan): Promise<StartedService> {
    const { link, paths } = this.#context;
    const [first, last = first] = calls(plan);
    if (!first || !last) throw new Error('a plan for a service ends with its call');
    const isAwaited = first !== last;
    const watch = await watchService(link, last.unit);
    try {
      await startUnit(link, last, isOurs(last));
    } catch (error) {
      const status = await watch.status();
      if (!hasRun(error, status)) {
        watch.stop();
        throw explainedStart(error, status);
      }
    }
    const files = await this.#files(first.unit);
    const mainPid = Number(
      await link.persist(({ manager }) => manager.get(unitPath(last.unit), typeInterface(last.unit), 'ExecMainPID')),
    );
    if (isAwaited) watch.begin();
    else watch.stop();
    const group = new SystemdGroup({
      link,
      paths,
      units: { slice: first.unit, unit: last.unit },
      files,
      leaf: files,
      settle: (asked) => settleFor(this.#context, asked, false),
      ending: async () => (isAwaited ? (await watch.ended).result : 'success'),
      forget: () => undefined,
    });
    return { group, mainPid, ended: isAwaited ? watch.ended : undefined };
  }

  drop(plan: Plan): Promise<void> {
    return dropSlice(this.#context.link, calls(plan)[0]?.unit ?? '');
  }

  /** By the unit's ControlGroup, since there may be no process in a slice yet. */
  async #files(unit: string): Promise<ControlFiles> {
    const { link, facts } = this.#context;
    const group = String(
      await link.persist(({ manager }) => manager.get(unitPath(unit), typeInterface(unit), 'ControlGroup')),
    );
    if (facts.layout.v1.size > 0) {
      return controlFilesV1(
        facts.layout,
        new Map([...facts.layout.v1.keys()].map((c): [Controller, string] => [c, group])),
      );
    }
    if (!facts.layout.v2)
      throw new SlicectlError('E_NO_CGROUP', 'no cgroup file system is mounted', { hint: 'mount /sys/fs/cgroup' });
    return controlFilesV2(facts.layout.v2, group);
  }
}

function calls(plan: Plan): CallStep[] {
  return plan.steps.filter((step) => step.do === 'call');
}

/** For a name that nobody else can have. */
function isThere(unit: string): IsMade {
  return async ({ manager }) => {
    try {
      await manager.getUnit(unit);
      return true;
    } catch (error) {
      if (busErrorName(error) === NO_SUCH_UNIT) return false;
      throw error;
    }
  };
}

/** The name can be a user's choice and have been taken before; the slice is the job's own, or the description tells. */
function isOurs({ unit, properties }: CallStep): IsMade {
  const sent = new Map(properties.map(([name, , value]) => [name, value]));
  return async (session) => {
    if (!(await isThere(unit)(session))) return false;
    const path = unitPath(unit);
    const slice = await session.manager.get(path, typeInterface(unit), 'Slice');
    const description = await session.manager.get(path, UNIT_INTERFACE, 'Description');
    return slice === sent.get('Slice') && description === sent.get('Description');
  };
}

function execProperties(request: ServiceRequest, version: number): DbusProperty[] {
  const { file, argv, output, uid, gid, nice } = request;
  const flags = request.expandEnvironment ? [] : ['no-env-expand'];
  const exec: DbusProperty =
    version < EXEC_FLAGS
      ? ['ExecStart', 'a(sasb)', [[file, argv, false]]]
      : ['ExecStartEx', 'a(sasas)', [[file, argv, flags]]];
  return [
    exec,
    ['Type', 's', 'exec'],
    ['WorkingDirectory', 's', request.cwd],
    ...(request.env.length > 0 ? [['Environment', 'as', request.env] as const] : []),
    ...(uid === undefined ? [] : [['User', 's', uid] as const]),
    ...(gid === undefined ? [] : [['Group', 's', gid] as const]),
    ...(nice === undefined ? [] : [['Nice', 'i', nice] as const]),
    ...(output === undefined
      ? []
      : [
          ['StandardOutputFileToAppend', 's', output.stdout] as const,
          ['StandardErrorFileToAppend', 's', output.stderr] as const,
        ]),
  ];
}

/** systemd's exit statuses for what fails before the program starts (systemd.exec(5), "Process Exit Codes"). */
const EXEC_FAILURES: Readonly<Record<number, string>> = {
  200: 'the working directory cannot be entered',
  201: 'the nice level cannot be set',
  203: 'the program cannot be executed',
  208: 'standard input cannot be set up',
  209: 'standard output cannot be opened',
  216: 'the group does not exist or cannot be taken',
  217: 'the user does not exist or cannot be taken',
  222: 'standard error cannot be opened',
};

/** A command that fails at once can be over before systemd has seen that it was executed, and then the job fails too. */
function hasRun(error: unknown, status: number | undefined): boolean {
  const isFailure = error instanceof SlicectlError && error.code === 'E_JOB_FAILED' && error.data.result === 'failed';
  return isFailure && status !== undefined && status !== 0 && !(status in EXEC_FAILURES);
}

function explainedStart(error: unknown, status: number | undefined): unknown {
  const why = status === undefined ? undefined : EXEC_FAILURES[status];
  if (!(error instanceof SlicectlError) || error.code !== 'E_JOB_FAILED' || why === undefined) return error;
  const hint = [209, 222].includes(status ?? 0) ? { hint: 'give --output journal, or add | cat' } : {};
  return new SlicectlError('E_JOB_FAILED', `systemd could not start the service: ${why} (${status})`, {
    ...hint,
    data: { ...error.data, status },
    cause: error,
  });
}
