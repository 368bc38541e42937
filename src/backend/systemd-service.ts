import { SlicectlError } from '../core/errors.ts';
import type { Controller, DbusProperty } from '../core/properties/row.ts';
import { typeInterface, unitPath } from '../dbus/systemd1.ts';
import { type ControlFiles, controlFilesV1, controlFilesV2 } from '../host/control-files.ts';
import type { CallStep, Plan, ServiceRequest, Services, StartedService } from './backend.ts';
import { SystemdGroup } from './systemd-group.ts';
import { jobUnits, sliceProperties, startStep, unitProperties } from './systemd-plan.ts';
import { dropSlice, type SystemdContext, settleFor, startUnit } from './systemd-start.ts';
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
    const { slice, unit } = jobUnits(request, facts, nextId(), '.service');
    const own = sliceProperties(request.description, settled.limits);
    const properties = [
      ...unitProperties(request, slice, settled, facts.version),
      ...execProperties(request, facts.version),
    ];
    const steps = request.isAwaited
      ? [startStep(slice, own), startStep(unit, [...properties, ['AddRef', 'b', true]])]
      : [startStep(unit, properties, [{ unit: slice, properties: [...own, ['StopWhenUnneeded', 'b', true]] }])];
    return { kind: 'systemd', unit, description: request.description, ...settled, steps };
  }

  async makeSlice(plan: Plan): Promise<ControlFiles> {
    const { slice } = unitsOf(plan);
    const step = calls(plan)[0];
    if (step?.unit === slice) await startUnit(this.#context.link, step, () => false);
    return this.#files(slice);
  }

  async start(plan: Plan): Promise<StartedService> {
    const { link, paths } = this.#context;
    const units = unitsOf(plan);
    const step = calls(plan).at(-1);
    if (!step) throw new Error('a plan for a service ends with its call');
    const watch = await watchService(link, units.unit);
    try {
      await startUnit(link, step, () => false);
    } catch (error) {
      watch.stop();
      throw await explainedStart(error, watch.lastResult());
    }
    const files = await this.#files(units.slice);
    const mainPid = Number(
      await link.persist(({ manager }) => manager.get(unitPath(units.unit), typeInterface(units.unit), 'MainPID')),
    );
    const group = new SystemdGroup({
      link,
      paths,
      units,
      files,
      leaf: files,
      settle: (asked) => settleFor(this.#context, asked, false),
      ending: async () => (await watch.ended).result,
    });
    const ended = watch.ended.then(({ code, signal }) => ({ code, signal }));
    return { group, mainPid, ended };
  }

  drop(plan: Plan): Promise<void> {
    return dropSlice(this.#context.link, unitsOf(plan).slice);
  }

  /** By the slice's ControlGroup, since there may be no process in it yet. */
  async #files(slice: string): Promise<ControlFiles> {
    const { link, facts } = this.#context;
    const group = String(
      await link.persist(({ manager }) => manager.get(unitPath(slice), typeInterface(slice), 'ControlGroup')),
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

function unitsOf(plan: Plan): { slice: string; unit: string } {
  const slice = calls(plan)
    .at(-1)
    ?.properties.find(([name]) => name === 'Slice')?.[2];
  return { slice: String(slice), unit: plan.unit ?? '' };
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

async function explainedStart(error: unknown, status: number | undefined): Promise<unknown> {
  const why = status === undefined ? undefined : EXEC_FAILURES[status];
  if (!(error instanceof SlicectlError) || error.code !== 'E_JOB_FAILED' || why === undefined) return error;
  return new SlicectlError('E_JOB_FAILED', `systemd could not start the service: ${why} (${status})`, {
    ...(error.hint && { hint: error.hint }),
    data: { ...error.data, status },
    cause: error,
  });
}
