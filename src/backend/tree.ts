import type { AskedLimit } from '../core/limits.ts';
import type { CgroupForm, Controller, FileWrite, Limits, LimitValue, Row } from '../core/properties/row.ts';
import { type CgroupLayout, groupFolder, type Hierarchy, type Membership } from '../host/cgroups.ts';
import type { ControlFiles } from '../host/control-files.ts';
import type { HostPaths } from '../host/paths.ts';
import type { BackendKind, Note, Step } from './backend.ts';

/** What both trees are made from. */
export interface TreeContext {
  readonly paths: HostPaths;
  readonly layout: CgroupLayout;
  /** The caller's own groups: jobs go below them, so that limits nest. */
  readonly membership: Membership;
}

/** One hierarchy in which a job gets a folder. */
export interface Root {
  /** The controllers that live there; co-mounted ones (cpu,cpuacct) share a root. */
  readonly controllers: readonly Controller[];
  readonly hierarchy: Hierarchy;
  /** The group below which jobs are made, as /proc/PID/cgroup writes it. */
  readonly base: string;
}

/** Why a limit cannot be held, and the way out. */
export interface Obstacle {
  readonly why: string;
  readonly wayOut: string;
}

/** Where a job's group will be: slice folders from the base down, then its own. */
export interface Place {
  readonly slices: readonly string[];
  readonly name: string;
}

export interface Prepared {
  readonly steps: readonly Step[];
  readonly notes: readonly Note[];
}

/** What differs between the two cgroup versions. Folders are those of a job in one root. */
export interface Tree {
  readonly kind: BackendKind;
  readonly label: string;
  /** Every usable hierarchy; the first one says which processes a job has. */
  readonly roots: readonly Root[];
  /** The limit's form in this version. */
  form(row: Row): CgroupForm<LimitValue> | undefined;
  /** Why a controller cannot be had below the base. */
  lacks(controller: Controller): Obstacle | undefined;
  /** What this version cannot say although it has files for the limit. */
  objection(limit: AskedLimit, limits: Limits): Obstacle | undefined;
  /** The files of AllowedCPUs and AllowedMemoryNodes that show what a group may use at all. */
  readonly effective: { readonly AllowedCPUs: string; readonly AllowedMemoryNodes: string };
  /** The roots in which a job with limits of these controllers gets a folder. */
  rootsFor(controllers: ReadonlySet<Controller>): readonly Root[];
  /** Folders, controllers and initial values, before any limit is written. */
  prepare(place: Place, controllers: ReadonlySet<Controller>): Prepared;
  /** Steps that bring controllers to a group that is already there; an obstacle where that cannot be done. */
  extend(place: Place, controllers: ReadonlySet<Controller>): Prepared | Obstacle;
  /** Puts the writes into an order that the kernel accepts, given what the group holds now. */
  order(writes: readonly FileWrite[], now: (write: FileWrite) => string | undefined): readonly FileWrite[];
  /** The control files of a job that has a folder in the given roots. */
  files(place: Place, roots: readonly Root[]): ControlFiles;
  /** Stops every process of the group, resolving when all stand still. */
  freeze(folder: string, signal: AbortSignal): Promise<void>;
  /** Lets the group and all groups below it run. */
  thaw(folder: string): void;
  isFrozen(folder: string): boolean;
  /** One blow at every process of the group with SIGKILL; false where some could not be signalled for lack of rights. */
  strike(folder: string): Promise<boolean>;
  whenEmpty(folder: string, signal?: AbortSignal): Promise<void>;
}

/** The cgroup path of a group below a root's base. */
export function pathBelow(root: Root, names: readonly string[]): string {
  return [root.base === '/' ? '' : root.base, ...names].join('/') || '/';
}

/** The folder of a group below a root's base. */
export function folderBelow(root: Root, names: readonly string[]): string {
  return groupFolder(root.hierarchy, pathBelow(root, names));
}

export function namesOf(place: Place): readonly string[] {
  return [...place.slices, place.name];
}

/** The folder of the job in the hierarchy that holds the controller. */
export function folderFor(roots: readonly Root[], controller: Controller, place: Place): string | undefined {
  const root = roots.find((candidate) => candidate.controllers.includes(controller));
  return root && folderBelow(root, namesOf(place));
}

/** The inverse of {@link folderBelow}: which root a job's folder is in, and where. */
export function locate(
  roots: readonly Root[],
  folder: string,
): { readonly root: Root; readonly place: Place } | undefined {
  const root = roots.find((candidate) => folder.startsWith(`${folderBelow(candidate, [])}/`));
  if (!root) return undefined;
  const names = folder.slice(folderBelow(root, []).length + 1).split('/');
  return { root, place: { slices: names.slice(0, -1), name: names.at(-1) ?? '' } };
}
