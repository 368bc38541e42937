import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../core/errors.ts';
import type { AskedLimit } from '../core/limits.ts';
import { readAmount } from '../core/properties/forms.ts';
import type { Controller, FileWrite, Limits } from '../core/properties/row.ts';
import { controlFilesV1 } from '../host/control-files.ts';
import { groupTree, writeControl } from '../host/control-writes.ts';
import { readIfThere } from '../host/files.ts';
import { processesBelow } from '../host/tree.ts';
import { disabledAtBoot, writeRefusal } from './availability.ts';
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

/** The freezer first: what is in its folder is what can be frozen and killed without a fork getting away. */
const CONTROLLERS: readonly Controller[] = ['freezer', 'pids', 'memory', 'cpuacct', 'cpu', 'blkio', 'cpuset'];

/** Cgroup v1, and the v1 half of a hybrid host: one tree a controller (Documentation/admin-guide/cgroup-v1/). */
export function cgroupV1(context: TreeContext): Tree {
  const { paths, layout, membership } = context;
  const mounted = mountedRoots(context);
  const roots = mounted.filter((root) => writeRefusal(folderBelow(root, [])) === undefined);

  function lacks(controller: Controller): Obstacle | undefined {
    if (roots.some((root) => root.controllers.includes(controller))) return undefined;
    const closed = mounted.find((root) => root.controllers.includes(controller));
    if (closed) {
      const at = folderBelow(closed, []);
      return {
        why: `${at} cannot be written by us (${writeRefusal(at)})`,
        wayOut: 'have that folder handed to this user, or run as root',
      };
    }
    const disabled = disabledAtBoot(paths, controller);
    if (disabled) return disabled;
    const onV2 = controller === 'blkio' ? 'io' : controller;
    if (layout.v2 && new RegExp(`\\b${onV2}\\b`).test(readIfThere(`${layout.v2.mount}/cgroup.controllers`) ?? '')) {
      return {
        why: `the ${onV2} controller is on cgroup v2 at ${layout.v2.mount}, not on v1`,
        wayOut: 'use --backend cgroup-v2',
      };
    }
    return {
      why: `no cgroup v1 hierarchy with the ${controller} controller is mounted`,
      wayOut: `mount it: mount -t cgroup -o ${controller} cgroup /sys/fs/cgroup/${controller}`,
    };
  }

  function rootsFor(asked: ReadonlySet<Controller>): readonly Root[] {
    // The cpuset only when asked for: moving into one changes where the job may run even without a limit of ours.
    return roots.filter((root) => root.controllers.some((c) => c !== 'cpuset' || asked.has(c)));
  }

  function prepare(place: Place, asked: ReadonlySet<Controller>): Prepared {
    const steps = rootsFor(asked).flatMap((root) => {
      const levels = namesOf(place).map((_, index) => namesOf(place).slice(0, index + 1));
      return levels.flatMap((names): Step[] => [
        { do: 'make', path: folderBelow(root, names) },
        ...(root.controllers.includes('cpuset') ? cpusetOf(root, names) : []),
        ...(root.controllers.includes('memory') && names.length === 1 ? hierarchyOf(root, names) : []),
      ]);
    });
    return { steps, notes: [] };
  }

  return {
    kind: 'cgroup-v1',
    label: layout.mode === 'hybrid' ? 'cgroup v1 (hybrid)' : 'cgroup v1',
    roots,
    form: (row) => row.v1,
    lacks,
    objection,
    effective: { AllowedCPUs: 'cpuset.effective_cpus', AllowedMemoryNodes: 'cpuset.effective_mems' },
    rootsFor,
    prepare,
    extend: (place, asked) => {
      const missing = rootsFor(asked).find(
        (root) => readIfThere(`${folderBelow(root, namesOf(place))}/tasks`) === undefined,
      );
      if (!missing) return { steps: [], notes: [] };
      return {
        why: `the running job has no group in the ${missing.controllers.join(',')} hierarchy`,
        wayOut: 'start the job with that limit already given',
      };
    },
    order,
    files: (place, used) =>
      controlFilesV1(
        layout,
        new Map(used.flatMap((root) => root.controllers.map((c) => [c, pathBelow(root, namesOf(place))] as const))),
      ),
    freeze,
    thaw,
    isFrozen: (folder) => /FROZEN|FREEZING/.test(readIfThere(`${folder}/freezer.state`) ?? ''),
    strike: (folder) =>
      strikeEach(undefined, `${folder}/freezer.state`, () => processesBelow(folder), {
        freeze: (signal) => freeze(folder, signal),
        thaw: () => thaw(folder),
      }),
    whenEmpty,
  };

  function mountedRoots(of: TreeContext): readonly Root[] {
    const found = new Map<string, Root>();
    for (const controller of CONTROLLERS) {
      const hierarchy = of.layout.v1.get(controller);
      const base = membership.v1.get(controller);
      if (!hierarchy || base === undefined) continue;
      const before = found.get(hierarchy.mount);
      found.set(hierarchy.mount, {
        controllers: [...(before?.controllers ?? []), controller],
        hierarchy,
        base,
      });
    }
    return [...found.values()];
  }
}

/**
 * A new cpuset is empty and takes no process (ENOSPC) until it has memory nodes and CPUs, which must be a part of its
 * parent's (cgroup-v1/cpusets.rst, 1.4): it starts with all that the nearest group with a set has.
 */
function cpusetOf(root: Root, names: readonly string[]): Step[] {
  const folder = folderBelow(root, names);
  return ['cpuset.mems', 'cpuset.cpus'].flatMap((file): Step[] => {
    if ((readIfThere(`${folder}/${file}`)?.trim() ?? '') !== '') return [];
    for (let above = names.length - 1; above >= 0; above -= 1) {
      const text = readIfThere(`${folderBelow(root, names.slice(0, above))}/${file}`)?.trim() ?? '';
      if (text !== '') return [{ do: 'write', path: `${folder}/${file}`, text }];
    }
    return [];
  });
}

/** Limits bind groups below only with use_hierarchy (cgroup-v1/memory.rst, 6); kernels since 5.11 always have it. */
function hierarchyOf(root: Root, names: readonly string[]): Step[] {
  const folder = folderBelow(root, names);
  const holder =
    readIfThere(`${folder}/memory.use_hierarchy`) ?? readIfThere(`${folderBelow(root, [])}/memory.use_hierarchy`);
  return holder?.trim() === '0' ? [{ do: 'write', path: `${folder}/memory.use_hierarchy`, text: '1' }] : [];
}

/** v1 counts memory and swap together, so that swap alone has no file (cgroup-v1/memory.rst, 2.4). */
function objection(limit: AskedLimit, limits: Limits): Obstacle | undefined {
  if (limit.name !== 'MemorySwapMax' || limit.value === 'infinity') return undefined;
  if (limits.MemoryMax !== undefined && limits.MemoryMax !== 'infinity') return undefined;
  return {
    why: 'cgroup v1 limits memory and swap together, and MemoryMax is not limited',
    wayOut: 'give MemoryMax too',
  };
}

/**
 * memory.limit_in_bytes may never exceed memory.memsw.limit_in_bytes, at no moment (cgroup-v1/memory.rst, 2.4). The
 * share of CPU time, quota by period, may never exceed that of the group above, so the step in between is to be the
 * smaller one: a longer period goes before its quota, a shorter one after it (scheduler/sched-bwc.rst).
 */
function order(writes: readonly FileWrite[], now: (write: FileWrite) => string | undefined): readonly FileWrite[] {
  const raises = (file: string, against: string): boolean => {
    const wish = writes.find((write) => write.file === file);
    const other = writes.find((write) => write.file === against);
    if (!wish || !other) return false;
    const next = readAmount(wish.text) ?? 'infinity';
    const held = readAmount(now(other)) ?? 'infinity';
    return held !== 'infinity' && (next === 'infinity' || next > held);
  };
  const period = writes.find((write) => write.file === 'cpu.cfs_period_us');
  const shorter = period !== undefined && Number(period.text) < Number(now(period) ?? '0');
  const late = new Set<string>();
  if (raises('memory.limit_in_bytes', 'memory.memsw.limit_in_bytes')) late.add('memory.limit_in_bytes');
  if (shorter) late.add('cpu.cfs_period_us');
  return [...writes.filter((write) => !late.has(write.file)), ...writes.filter((write) => late.has(write.file))];
}

async function freeze(folder: string, signal: AbortSignal): Promise<void> {
  const path = `${folder}/freezer.state`;
  if (readIfThere(path) === undefined) {
    throw new SlicectlError('E_CONTROLLER', `cannot freeze ${folder}: it has no freezer.state`, {
      hint: 'mount the freezer hierarchy of cgroup v1 and give us write access to it',
    });
  }
  // "FREEZING" stays while a process cannot be stopped at once; writing again retries (freezer-subsystem.rst).
  for (let delay = 1; ; delay = Math.min(delay * 2, 50)) {
    attempt({ what: 'write', path, value: 'FROZEN' }, () => writeControl(path, 'FROZEN'));
    const state = readIfThere(path)?.trim();
    if (state === undefined || state === 'FROZEN') return;
    await sleep(delay, undefined, { signal });
  }
}

/** Groups that the job froze itself inside its own are let go too: nothing in them could die. */
function thaw(folder: string): void {
  for (const at of groupTree(folder)) {
    const path = `${at}/freezer.state`;
    if ((readIfThere(path)?.trim() ?? 'THAWED') !== 'THAWED')
      attempt({ what: 'write', path, value: 'THAWED' }, () => writeControl(path, 'THAWED'));
  }
}

/**
 * v1 tells nobody that a group became empty but a release_agent, a program that the kernel runs as root for the whole
 * hierarchy and that is not ours to set (cgroup-v1/cgroups.rst, 1.4). So this looks again and again, less and less often.
 */
async function whenEmpty(folder: string, signal?: AbortSignal): Promise<void> {
  for (let delay = 2; processesBelow(folder).length > 0; delay = Math.min(delay * 2, 100)) {
    await sleep(delay, undefined, signal && { signal });
  }
}
