import { SlicectlError } from '../core/errors.ts';
import { jobId, type Owner } from '../core/job-id.ts';
import type { AskedLimits } from '../core/limits.ts';
import { PROPERTIES } from '../core/properties/table.ts';
import { sliceLevels, sliceName, unitName } from '../core/unit-name.ts';
import { type CgroupLayout, type Membership, readLayout, readMembership } from '../host/cgroups.ts';
import { isGroup, removeGroups } from '../host/control-writes.ts';
import { readMachine } from '../host/machine.ts';
import type { HostPaths } from '../host/paths.ts';
import { readOwner } from '../host/process.ts';
import { processesBelow } from '../host/tree.ts';
import type { Backend, Group, GroupRequest, Plan, Step } from './backend.ts';
import { carryOut, THE_JOB } from './carry-out.ts';
import { plainGroup } from './cgroup-group.ts';
import { cgroupV1 } from './cgroup-v1.ts';
import { cgroupV2 } from './cgroup-v2.ts';
import { Deadline } from './deadline.ts';
import { delegation } from './ownership.ts';
import { settleLimits, writesOf } from './plain-settle.ts';
import { attempt } from './refusal.ts';
import { isLeftover, makerOf, sweep } from './sweep.ts';
import { folderBelow, folderFor, locate, namesOf, type Place, type Root, type Tree, type TreeContext } from './tree.ts';

export interface CgroupOptions {
  readonly paths: HostPaths;
  /** The caller's user id, which decides what delegation looks like. */
  readonly uid: number;
  /** `unified` works on v2, `hybrid` and `legacy` on v1. */
  readonly layout?: CgroupLayout;
  /** The caller's own groups, below which jobs go. */
  readonly membership?: Membership;
  readonly owner?: Owner;
  /** Asks systemd whether the caller's own unit has Delegate=. */
  readonly isDelegatedUnit?: () => Promise<boolean>;
}

/** Counts through all backends of this process, so that no two jobs of it get the same name. */
let serial = 0;

/** Jobs in folders of the cgroup file systems, without systemd. */
export function cgroupBackend(options: CgroupOptions): Backend {
  const { paths, uid, isDelegatedUnit } = options;
  const layout = options.layout ?? readLayout(paths);
  const membership = options.membership ?? readMembership(paths, 'self') ?? { v2: undefined, v1: new Map() };
  const owner = options.owner ?? readOwner(paths);
  const { pageSize } = readMachine(paths);
  const tree = treeOf({ paths, layout, membership });
  let allowed: Promise<void> | undefined;

  async function check(): Promise<void> {
    const answer = await delegation(paths, layout, membership, uid, isDelegatedUnit);
    if (!answer.granted) throw answer.refusal;
  }

  function foldersOf(place: Place, roots: readonly Root[]): readonly string[] {
    return roots.map((root) => folderBelow(root, namesOf(place)));
  }

  /** A folder of the asked name that is in the way; the empty one of a dead maker is not. */
  function refuseTaken(unit: string, folders: readonly string[]): void {
    for (const folder of folders) {
      const count = processesBelow(folder).length;
      const hint = 'choose another unit name, or leave it out';
      const data = { unit, path: folder };
      if (count > 0)
        throw new SlicectlError('E_UNIT_EXISTS', `${unit} is running with ${count} processes`, { hint, data });
      if (!isGroup(folder) || isLeftover(paths, folder, owner)) continue;
      const why = makerOf(folder) ? 'its maker still runs' : 'slicectl did not make it';
      throw new SlicectlError('E_UNIT_EXISTS', `the group ${folder} exists, is empty, and ${why}`, { hint, data });
    }
  }

  return {
    kind: tree.kind,
    label: tree.label,

    async plan(request: GroupRequest): Promise<Plan> {
      allowed ??= check();
      await allowed;
      serial += 1;
      const id = jobId(owner, serial);
      const unit = request.unit === undefined ? `${id}.scope` : unitName(request.unit, '.scope');
      const place = { slices: request.slice === undefined ? [] : sliceLevels(sliceName(request.slice)), name: unit };
      const settled = settleLimits({ paths, pageSize, tree, place }, request.limits, request.bestEffort);
      const roots = tree.rootsFor(settled.controllers);
      const folders = foldersOf(place, roots);
      refuseTaken(unit, folders);
      const prepared = tree.prepare(place, settled.controllers);
      const writes = tree.order([...writesOf(tree, settled).values()].flat(), () => undefined);
      const steps: Step[] = [
        ...prepared.steps,
        // The mark of a name that the user chose, for a sweep; see makerOf.
        ...(request.unit === undefined ? [] : folders.map((folder): Step => ({ do: 'make', path: `${folder}/${id}` }))),
        ...writes.map(({ controller, file, text }): Step => {
          return { do: 'write', path: `${folderFor(roots, controller, place)}/${file}`, text };
        }),
        ...folders.map((path): Step => ({ do: 'move', path, what: THE_JOB })),
      ];
      const notes = [...settled.notes, ...prepared.notes];
      const { limits, devices } = settled;
      return { kind: tree.kind, unit, description: request.description, limits, devices, notes, steps };
    },

    async place(plan: Plan, pid: number): Promise<Group> {
      const folders = plan.steps
        .filter((step) => step.do === 'move' && step.what === THE_JOB)
        .map((step) => ('path' in step ? step.path : ''));
      const { place, roots } = located(tree, folders);
      const clear = (path: string) =>
        folders.includes(path) &&
        isLeftover(paths, path, owner) &&
        attempt({ what: 'remove', path }, () => removeGroups(path));
      carryOut(plan.steps, { paths, roots, pid, fresh: new Set(folders), clear });
      return plainGroup(
        {
          ...{ paths, pageSize, tree, place, roots, unit: place.name },
          limits: { asked: askedAgain(plan), limits: plan.limits, devices: plan.devices },
        },
        (end) => new Deadline(plan.limits, end),
      );
    },

    async sweep() {
      allowed ??= check();
      await allowed;
      return sweep(paths, tree.roots, owner);
    },

    close: () => undefined,
  };
}

function treeOf(context: TreeContext): Tree {
  const { mode, v2 } = context.layout;
  if (mode === 'unified' && v2) return cgroupV2(context, v2);
  if (mode === 'hybrid' || mode === 'legacy') return cgroupV1(context);
  throw new SlicectlError('E_NO_CGROUP', 'no cgroup tree is mounted', {
    hint: 'mount one: mount -t cgroup2 none /sys/fs/cgroup; in a container: --cgroupns=private',
  });
}

/** Where the folders of a plan lie; the place is the same in each of their roots. */
function located(tree: Tree, folders: readonly string[]): { place: Place; roots: readonly Root[] } {
  const found = folders.flatMap((folder) => locate(tree.roots, folder) ?? []);
  const [first] = found;
  if (!first || found.length !== folders.length) {
    throw new SlicectlError('E_INPUT', 'the plan was not made by this backend', { data: { folders } });
  }
  return { place: first.place, roots: found.map(({ root }) => root) };
}

/** The plan's limits in the form that a change of them starts from. */
function askedAgain(plan: Plan): AskedLimits {
  const values = new Map(Object.entries(plan.limits));
  return PROPERTIES.flatMap((row) => {
    const value = values.get(row.name);
    return value === undefined ? [] : [{ name: row.name, value, text: row.print(value), source: 'plan' }];
  });
}
