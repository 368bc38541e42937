import { SlicectlError } from '../core/errors.ts';
import { jobId, type Owner, ownerOf } from '../core/job-id.ts';
import type { DbusProperty } from '../core/properties/row.ts';
import { readLayout, readMembership } from '../host/cgroups.ts';
import { readMachine } from '../host/machine.ts';
import type { HostPaths } from '../host/paths.ts';
import { mayBeAlive, readOwner } from '../host/process.ts';
import type { Backend, CallStep, Group, GroupRequest, Plan, Services } from './backend.ts';
import { filesOfSlice, type JobFiles, SystemdGroup } from './systemd-group.ts';
import { insist } from './systemd-insist.ts';
import type { SystemdLink } from './systemd-link.ts';
import { type SystemdFacts, scopePlan } from './systemd-plan.ts';
import { referScope } from './systemd-reference.ts';
import { SystemdServices } from './systemd-service.ts';
import { dropSlice, type SystemdContext, settleFor, startUnit } from './systemd-start.ts';

/** Jobs in transient scopes of a systemd manager, each in a slice of its own that carries the limits. */
export class SystemdBackend implements Backend {
  readonly kind = 'systemd';
  readonly label: string;
  readonly services: Services;
  readonly #context: SystemdContext;
  readonly #owner: Owner;

  private constructor(context: SystemdContext, owner: Owner) {
    const { version, kind } = context.facts;
    this.label = `systemd ${version}${kind === 'user' ? ' (user)' : ''}`;
    this.services = new SystemdServices(context);
    this.#context = context;
    this.#owner = owner;
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
    const owner = readOwner(paths);
    let serial = 0;
    const nextId = (): string => jobId(owner, serial++);
    return new SystemdBackend({ link, paths, facts, pageSize: readMachine(paths).pageSize, nextId }, owner);
  }

  async plan(request: GroupRequest): Promise<Plan> {
    const settled = settleFor(this.#context, request.limits, request.bestEffort);
    return scopePlan(request, this.#context.facts, settled, this.#context.nextId());
  }

  async place(plan: Plan, pid: number): Promise<Group> {
    const { link, paths, facts } = this.#context;
    const step = plan.steps.find((s): s is CallStep => s.do === 'call');
    const slice = step?.auxiliary[0]?.unit;
    if (!step || slice === undefined) throw new Error('a plan for a scope has one call with the job slice');
    const locate = (): JobFiles | undefined => filesOfSlice(paths, facts.layout, slice, pid);
    const properties: DbusProperty[] = [...step.properties, ['PIDs', 'au', [pid]]];
    try {
      const attempts = await startUnit(link, { ...step, properties }, () => locate() !== undefined);
      const files = locate();
      if (!files) throw lost(step.unit);
      await insist(link, slice, files.files, plan);
      return new SystemdGroup({
        link,
        paths,
        units: { slice, unit: step.unit },
        ...files,
        settle: (asked) => settleFor(this.#context, asked, false),
        ...referScope(link, step.unit, plan.limits, attempts === 1),
      });
    } catch (error) {
      await dropSlice(link, slice);
      throw error;
    }
  }

  async sweep(): Promise<readonly string[]> {
    const { link, paths } = this.#context;
    const { manager } = await link.session();
    const units = await manager.listUnitsByPatterns([], ['slicectl_*.slice', '*-slicectl_*.slice']);
    const swept: string[] = [];
    for (const { name } of units) {
      const owner = ownerOf(name);
      if (!owner || mayBeAlive(paths, owner, this.#owner)) continue;
      if ((await manager.getUnitProcesses(name)).length > 0) continue;
      await manager.stopUnit(name, 'fail');
      swept.push(name);
    }
    return swept;
  }

  close(): void {
    this.#context.link.close();
  }
}

function lost(unit: string): SlicectlError {
  return new SlicectlError('E_GATE', `the job ended or was moved away before ${unit} could be checked`, {
    data: { unit },
  });
}
