import { SlicectlError } from '../core/errors.ts';
import type { Controller, FileWrite } from '../core/properties/row.ts';
import { groupFolder, type Hierarchy } from '../host/cgroups.ts';
import { controlFilesV2 } from '../host/control-files.ts';
import { groupTree, pidsIn, writeControl } from '../host/control-writes.ts';
import { isPopulated, untilControl } from '../host/events.ts';
import { readIfThere } from '../host/files.ts';
import { processesBelow } from '../host/tree.ts';
import { disabledAtBoot } from './availability.ts';
import type { Step } from './backend.ts';
import { attempt } from './refusal.ts';
import { strikeEach } from './strike.ts';
import {
  folderBelow,
  namesOf,
  type Obstacle,
  type Place,
  type Prepared,
  pathBelow,
  type Root,
  type Tree,
  type TreeContext,
} from './tree.ts';

/** The leaf that takes the processes of a base group, since only a group without processes can share out controllers. */
export const SUPERVISOR = 'slicectl_supervisor.scope';

const CONTROLLERS: readonly Controller[] = ['cpu', 'cpuset', 'memory', 'io', 'pids'];
/** Enabled where they can be had without being asked for: receipts read them. */
const FOR_RECEIPTS: readonly Controller[] = ['cpu', 'io', 'memory', 'pids'];

/** Cgroup v2: one tree (Documentation/admin-guide/cgroup-v2.rst). */
export function cgroupV2(context: TreeContext, hierarchy: Hierarchy): Tree {
  const { paths, layout, membership } = context;
  const own = membership.v2 ?? '/';
  const inLeaf = own.endsWith(`/${SUPERVISOR}`);
  const base = inLeaf ? own.slice(0, -SUPERVISOR.length - 1) || '/' : own;
  const root: Root = { controllers: CONTROLLERS, hierarchy, base };
  const folder = groupFolder(hierarchy, base);
  const words = (at: string, file: string): string[] =>
    (readIfThere(`${at}/${file}`) ?? '').split(/\s+/).filter((word) => word !== '');
  const available = new Set(words(folder, 'cgroup.controllers'));
  // Only the root of the whole hierarchy has no cgroup.type, and only it may hold processes and share out controllers.
  const isTop = readIfThere(`${folder}/cgroup.type`) === undefined;

  function lacks(controller: Controller): Obstacle | undefined {
    if (available.has(controller)) return undefined;
    const v1 = layout.v1.get(controller === 'io' ? 'blkio' : controller);
    if (v1) {
      return {
        why: `the ${controller} controller is mounted as cgroup v1 at ${v1.mount}`,
        wayOut: 'boot with systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=all, or use --backend cgroup-v1',
      };
    }
    const disabled = disabledAtBoot(paths, controller);
    if (disabled) return disabled;
    const why = `${controller} is not in ${folder}/cgroup.controllers`;
    if (isTop) return { why: `${why}: this kernel has no such controller`, wayOut: 'boot a kernel that has it' };
    return {
      why: `${why}: the groups above do not hand it down to us`,
      wayOut:
        'have it delegated (Delegate=yes, or Delegate=cpu cpuset io memory pids for the user service), or run as root',
    };
  }

  function wanted(asked: ReadonlySet<Controller>): readonly Controller[] {
    return CONTROLLERS.filter((c) => available.has(c) && (asked.has(c) || FOR_RECEIPTS.includes(c)));
  }

  function enabling(at: string, controllers: readonly Controller[]): Step[] {
    const have = words(at, 'cgroup.subtree_control');
    const text = controllers.filter((c) => !have.includes(c)).map((c) => `+${c}`);
    return text.length === 0 ? [] : [{ do: 'write', path: `${at}/cgroup.subtree_control`, text: text.join(' ') }];
  }

  function refuseThreaded(at: string): void {
    const type = readIfThere(`${at}/cgroup.type`)?.trim();
    if (type === undefined || type === 'domain') return;
    throw new SlicectlError('E_CGROUP', `the group ${at} is of type "${type}", below which no job can get limits`, {
      hint: 'run slicectl from a group whose cgroup.type is "domain"',
      data: { path: at, value: type },
    });
  }

  function prepare(place: Place, asked: ReadonlySet<Controller>): Prepared {
    const controllers = wanted(asked);
    const steps: Step[] = [];
    const notes = [];
    const atBase = enabling(folder, controllers);
    refuseThreaded(folder);
    if (atBase.length > 0 && !isTop && pidsIn(folder).length > 0) {
      const leaf = `${folder}/${SUPERVISOR}`;
      steps.push({ do: 'make', path: leaf }, { do: 'move', path: leaf, what: folder });
      notes.push({
        text: `every process of ${folder} moves to ${SUPERVISOR} below it: a group with processes cannot share out controllers`,
      });
    }
    steps.push(...atBase);
    for (const [index] of place.slices.entries()) {
      const slice = folderBelow(root, place.slices.slice(0, index + 1));
      refuseThreaded(slice);
      steps.push({ do: 'make', path: slice }, ...enabling(slice, controllers));
    }
    steps.push({ do: 'make', path: folderBelow(root, namesOf(place)) });
    return { steps, notes };
  }

  function extend(place: Place, asked: ReadonlySet<Controller>): Prepared {
    const levels = [[], ...place.slices.map((_, index) => place.slices.slice(0, index + 1))];
    return { steps: levels.flatMap((names) => enabling(folderBelow(root, names), wanted(asked))), notes: [] };
  }

  return {
    kind: 'cgroup-v2',
    label: 'cgroup v2',
    roots: [root],
    form: (row) => row.v2,
    lacks,
    objection: () => undefined,
    effective: { AllowedCPUs: 'cpuset.cpus.effective', AllowedMemoryNodes: 'cpuset.mems.effective' },
    rootsFor: () => [root],
    prepare,
    extend,
    order: (writes: readonly FileWrite[]) => writes,
    files: (place) => controlFilesV2(hierarchy, pathBelow(root, namesOf(place))),
    freeze,
    thaw,
    isFrozen: (at) => readIfThere(`${at}/cgroup.freeze`)?.trim() === '1',
    strike,
    whenEmpty: (at, signal) => untilControl(`${at}/cgroup.events`, () => isPopulated(at) !== true, signal),
  };
}

async function freeze(folder: string, signal: AbortSignal): Promise<void> {
  const path = `${folder}/cgroup.freeze`;
  attempt({ what: 'write', path, value: '1' }, () => writeControl(path, '1'));
  const events = `${folder}/cgroup.events`;
  await untilControl(events, () => /^frozen 1$/m.test(readIfThere(events) ?? 'frozen 1'), signal);
}

function thaw(folder: string): void {
  for (const at of groupTree(folder)) {
    const path = `${at}/cgroup.freeze`;
    if (readIfThere(path)?.trim() === '1') attempt({ what: 'write', path, value: '0' }, () => writeControl(path, '0'));
  }
}

/** cgroup.kill (Linux 5.14) takes forks that run at the same time along; before it, each process has to be hit. */
async function strike(folder: string): Promise<boolean> {
  const path = `${folder}/cgroup.kill`;
  if (readIfThere(`${folder}/cgroup.procs`) === undefined) return true;
  try {
    writeControl(path, '1');
    return true;
  } catch (error) {
    return strikeEach(error, path, () => processesBelow(folder), {
      freeze: (signal) => freeze(folder, signal),
      thaw: () => thaw(folder),
    });
  }
}
