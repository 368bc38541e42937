import { type IndexSet, parseIndexSet, printIndexSet, without } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import { type AskedLimit, type AskedLimits, printLimit, valuesOf } from '../core/limits.ts';
import type {
  CgroupForm,
  Controller,
  DeviceAmount,
  FileWrite,
  LimitName,
  Limits,
  LimitValue,
} from '../core/properties/row.ts';
import { rowOf } from '../core/properties/table.ts';
import { blockDevice } from '../host/devices.ts';
import { readIfThere } from '../host/files.ts';
import type { HostPaths } from '../host/paths.ts';
import { offersFile } from './availability.ts';
import type { Note, SettledLimits } from './backend.ts';
import { folderBelow, type Obstacle, type Place, type Tree } from './tree.ts';

export interface SettleContext {
  readonly paths: HostPaths;
  readonly pageSize: bigint;
  readonly tree: Tree;
  readonly place: Place;
}

/** The limits that will be written, with where they came from and what they need. */
export interface PlainLimits extends SettledLimits {
  readonly asked: AskedLimits;
  readonly controllers: ReadonlySet<Controller>;
}

/** Rounds each limit and refuses what this host cannot hold; with `bestEffort` it is left out with a note instead. */
export function settleLimits(context: SettleContext, wanted: AskedLimits, bestEffort: boolean): PlainLimits {
  const notes: Note[] = [];
  const asked: AskedLimit[] = [];
  const devices = new Map<string, string>();
  const controllers = new Set<Controller>();
  for (const limit of wanted) {
    for (const device of devicesOf(limit.value)) devices.set(device, blockDevice(context.paths, device));
    const obstacle = obstacleTo(context, limit, valuesOf(wanted), devices);
    if (obstacle) {
      if (!bestEffort) throw refusal(limit, obstacle);
      notes.push({ limit: limit.name, text: `${printLimit(limit.name, limit.value)} is left out: ${obstacle.why}` });
      continue;
    }
    const bounded = withinParent(context, limit, bestEffort, notes);
    if (bounded === undefined) continue;
    const settled = rowOf(limit.name).settle?.(bounded, { systemd: undefined, pageSize: context.pageSize });
    if (settled?.note) notes.push({ limit: limit.name, text: settled.note });
    const form = context.tree.form(rowOf(limit.name));
    if (form) controllers.add(form.controller);
    asked.push({ ...limit, value: settled?.value ?? bounded });
  }
  return { asked, limits: valuesOf(asked), devices, controllers, notes };
}

/** The files of each limit, in the table's order. */
export function writesOf(
  tree: Tree,
  settled: Pick<PlainLimits, 'asked' | 'limits' | 'devices'>,
): Map<LimitName, readonly FileWrite[]> {
  const { limits, devices } = settled;
  return new Map(
    settled.asked.map(({ name, value }) => [name, tree.form(rowOf(name))?.write(value, { limits, devices }) ?? []]),
  );
}

function refusal(limit: AskedLimit, { why, wayOut }: Obstacle): SlicectlError {
  return new SlicectlError('E_CONTROLLER', `${printLimit(limit.name, limit.value)} cannot be held here: ${why}`, {
    hint: `${wayOut}; --best-effort runs the job without it`,
    data: { limit: limit.name, source: limit.source },
  });
}

function obstacleTo(
  { tree }: SettleContext,
  limit: AskedLimit,
  limits: Limits,
  devices: ReadonlyMap<string, string>,
): Obstacle | undefined {
  const row = rowOf(limit.name);
  const form = tree.form(row);
  if (row.name === 'OOMPolicy' && limit.value === 'stop')
    return { why: 'only systemd stops a job after an OOM kill', wayOut: 'use OOMPolicy=kill or continue' };
  if (row.name === 'OOMPolicy' && limit.value === 'continue') return undefined;
  if (!form) {
    if (row.scope === 'job' && row.name !== 'OOMPolicy') return undefined;
    return { why: `${tree.label} has no file for it`, wayOut: 'run on a host with the other version, or leave it out' };
  }
  return (
    tree.lacks(form.controller) ?? tree.objection(limit, limits) ?? unoffered(tree, form, limit.value, limits, devices)
  );
}

function unoffered(
  tree: Tree,
  form: CgroupForm<LimitValue>,
  value: LimitValue,
  limits: Limits,
  devices: ReadonlyMap<string, string>,
): Obstacle | undefined {
  for (const { controller, file } of form.write(value, { limits, devices })) {
    const root = tree.roots.find((candidate) => candidate.controllers.includes(controller));
    if (!root || offersFile(tree.kind === 'cgroup-v2' ? 2 : 1, folderBelow(root, []), controller, file)) continue;
    return {
      why: `this kernel has no ${file}`,
      wayOut: file.startsWith('memory.memsw')
        ? 'boot with swapaccount=1'
        : 'boot a kernel that was built with it, or leave the limit out',
    };
  }
  return undefined;
}

/**
 * A set of CPUs or memory nodes must lie in what the group above may use: v2 takes the rest silently away, v1 answers
 * EACCES or EINVAL.
 */
function withinParent(
  { tree, place }: SettleContext,
  limit: AskedLimit,
  bestEffort: boolean,
  notes: Note[],
): LimitValue | undefined {
  if (limit.name !== 'AllowedCPUs' && limit.name !== 'AllowedMemoryNodes') return limit.value;
  const root = tree.roots.find((candidate) => candidate.controllers.includes('cpuset'));
  const levels = [...place.slices.map((_, index) => place.slices.slice(0, place.slices.length - index)), []];
  const file = tree.effective[limit.name];
  const found =
    root && levels.map((names) => `${folderBelow(root, names)}/${file}`).find((path) => readIfThere(path)?.trim());
  const text = found && readIfThere(found)?.trim();
  if (!text) return limit.value;
  const asked = isIndexSet(limit.value) ? limit.value : [];
  const outside = without(asked, parseIndexSet(text, file));
  if (outside.length === 0) return limit.value;
  const why = `${printIndexSet(outside)} is not in ${text}, which is all that ${found} gives`;
  if (!bestEffort) {
    throw new SlicectlError('E_NOT_IN_FORCE', `${printLimit(limit.name, limit.value)} reaches too far: ${why}`, {
      hint: `choose from ${text}`,
      data: { limit: limit.name, source: limit.source, available: text },
    });
  }
  const inside = without(asked, outside);
  notes.push({
    limit: limit.name,
    text: inside.length > 0 ? `narrowed to ${printIndexSet(inside)}: ${why}` : `left out: ${why}`,
  });
  return inside.length > 0 ? inside : undefined;
}

function isIndexSet(value: LimitValue): value is IndexSet {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'number');
}

/** The device paths that a limit names; `MAJ:MIN` needs no look-up. */
function devicesOf(value: LimitValue): string[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((entry: number | DeviceAmount): entry is DeviceAmount => typeof entry === 'object')
    .map(({ device }) => device)
    .filter((device) => device.startsWith('/'));
}
