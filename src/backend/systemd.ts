import { SlicectlError } from '../core/errors.ts';
import { jobId, type Owner, ownerOf } from '../core/job-id.ts';
import type { AskedLimits } from '../core/limits.ts';
import { busErrorName } from '../dbus/errors.ts';
import { jobFailure } from '../dbus/jobs.ts';
import { type Manager, type Property, UNIT_INTERFACE, unitPath } from '../dbus/systemd1.ts';
import { type CgroupLayout, readLayout, readMembership } from '../host/cgroups.ts';
import type { HostPaths } from '../host/paths.ts';
import { mayBeAlive, readOwner } from '../host/process.ts';
import type { Backend, Group, GroupRequest, Plan } from './backend.ts';
import { filesOfSlice, SystemdGroup } from './systemd-group.ts';
import type { Session, SystemdLink } from './systemd-link.ts';
import { type SystemdFacts, systemdPlan, systemdUnable } from './systemd-plan.ts';
import { settle } from './systemd-settle.ts';

type CallStep = Extract<Plan['steps'][number], { do: 'call' }>;

/** Jobs in transient scopes of a systemd manager, each in a slice of its own that carries the limits. */
export class SystemdBackend implements Backend {
  readonly kind = 'systemd';
  readonly #link: SystemdLink;
  readonly #paths: HostPaths;
  readonly #layout: CgroupLayout;
  readonly #facts: SystemdFacts;
  readonly #owner: Owner;
  #serial = 0;

  private constructor(link: SystemdLink, paths: HostPaths, facts: SystemdFacts) {
    this.#link = link;
    this.#paths = paths;
    this.#layout = facts.layout;
    this.#facts = facts;
    this.#owner = readOwner(paths);
  }

  /** Connects and reads what plans depend on. Rejects with `E_NO_BUS`. */
  static async open(link: SystemdLink, paths: HostPaths): Promise<SystemdBackend> {
    const [version, managerGroup] = await link.persist(({ manager }) =>
      Promise.all([manager.version(), manager.managerControlGroup()]),
    );
    const facts: SystemdFacts = {
      kind: link.kind,
      version: version.major,
      managerGroup: managerGroup === '/' ? '' : managerGroup,
      layout: readLayout(paths),
      self: readMembership(paths, 'self'),
    };
    return new SystemdBackend(link, paths, facts);
  }

  get label(): string {
    return `systemd ${this.#facts.version}${this.#facts.kind === 'user' ? ' (user)' : ''}`;
  }

  async plan(request: GroupRequest): Promise<Plan> {
    const settled = this.#settle(request.limits, request.bestEffort);
    return systemdPlan(request, this.#facts, settled, jobId(this.#owner, this.#serial++));
  }

  async place(plan: Plan, pid: number): Promise<Group> {
    const step = plan.steps.find((s): s is CallStep => s.do === 'call');
    const slice = step?.auxiliary[0]?.unit;
    if (!step || slice === undefined) throw new Error('a plan for systemd has one call with the job slice');
    const units = { slice, scope: step.unit };
    try {
      await this.#start(step, slice, pid);
      const files = filesOfSlice(this.#paths, this.#layout, slice, pid);
      if (!files) throw lost(units.scope);
      return new SystemdGroup({
        link: this.#link,
        units,
        paths: this.#paths,
        ...files,
        limits: plan.limits,
        settle: (asked) => this.#settle(asked, false),
      });
    } catch (error) {
      await this.#clear(slice);
      throw error;
    }
  }

  async sweep(): Promise<readonly string[]> {
    const { manager } = await this.#link.session();
    const units = await manager.listUnitsByPatterns([], ['slicectl_*.slice', '*-slicectl_*.slice']);
    const swept: string[] = [];
    for (const { name } of units) {
      const owner = ownerOf(name);
      if (!owner || mayBeAlive(this.#paths, owner, this.#owner)) continue;
      if ((await manager.getUnitProcesses(name)).length > 0) continue;
      await manager.stopUnit(name, 'fail');
      swept.push(name);
    }
    return swept;
  }

  close(): void {
    this.#link.close();
  }

  #settle(asked: AskedLimits, bestEffort: boolean): ReturnType<typeof settle> {
    const unable = systemdUnable(this.#facts);
    return settle(asked, { paths: this.#paths, systemd: this.#facts.version, bestEffort, unable });
  }

  /**
   * Starts the scope around the process. A reply that was lost with the connection does not tell whether the unit was made,
   * so before each further attempt the process itself is looked at.
   */
  async #start(step: CallStep, slice: string, pid: number): Promise<void> {
    let wasCleared = false;
    const isOurs = (): boolean => filesOfSlice(this.#paths, this.#layout, slice, pid) !== undefined;
    await this.#link.persist(async (session) => {
      if (isOurs()) return;
      try {
        await startScope(session, step, pid);
      } catch (error) {
        if (isOurs()) return;
        if (!(error instanceof SlicectlError) || error.code !== 'E_UNIT_EXISTS') throw error;
        if (wasCleared || !(await clearLeftover(session.manager, step.unit))) throw nameInUse(step.unit, error);
        wasCleared = true;
        await startScope(session, step, pid);
      }
    });
  }

  /** Takes back the job's slice after a failed start; a scope goes by its CollectMode. */
  async #clear(slice: string): Promise<void> {
    try {
      const { manager } = await this.#link.session();
      await manager.stopUnit(slice, 'replace');
    } catch (error) {
      // The start's own error is the one to report; what stays here, a sweep finds by its name.
      if (!(error instanceof SlicectlError)) throw error;
    }
  }
}

async function startScope({ manager, jobs }: Session, step: CallStep, pid: number): Promise<void> {
  const properties: Property[] = [...step.properties, ['PIDs', 'au', [pid]]];
  const auxiliary = step.auxiliary.map(({ unit, properties: own }) => [unit, own] as const);
  const start = (): Promise<string> => manager.startTransientUnit(step.unit, 'fail', properties, auxiliary);
  const failure = jobFailure(await jobs.run(start, { unit: step.unit }));
  if (failure) throw failure;
}

/**
 * Takes away a failed or dead unit of that name, never one that runs: somebody else's work can be in it
 * (https://github.com/containers/crun/pull/331).
 */
async function clearLeftover(manager: Manager, unit: string): Promise<boolean> {
  try {
    const state = await manager.get(unitPath(unit), UNIT_INTERFACE, 'ActiveState');
    if (state !== 'failed' && state !== 'inactive') return false;
    await manager.resetFailedUnit(unit);
  } catch (error) {
    // It went by itself between the two calls.
    if (busErrorName(error) !== 'org.freedesktop.systemd1.NoSuchUnit') throw error;
  }
  return true;
}

function nameInUse(unit: string, cause: SlicectlError): SlicectlError {
  return new SlicectlError('E_UNIT_EXISTS', `the unit name ${unit} is in use`, {
    hint: `choose another --unit, or stop it: systemctl stop ${unit}`,
    data: { unit },
    cause,
  });
}

function lost(unit: string): SlicectlError {
  return new SlicectlError('E_GATE', `the job ended or was moved away before ${unit} could be checked`, {
    data: { unit },
  });
}
