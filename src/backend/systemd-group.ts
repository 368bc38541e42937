import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../core/errors.ts';
import { type AskedLimits, valuesOf } from '../core/limits.ts';
import { busErrorName } from '../dbus/errors.ts';
import { type CgroupLayout, readMembership } from '../host/cgroups.ts';
import { type ControlFiles, controlFilesV1, controlFilesV2 } from '../host/control-files.ts';
import { isPopulated, untilControl } from '../host/events.ts';
import type { HostPaths } from '../host/paths.ts';
import { processesBelow } from '../host/tree.ts';
import type { Ending, Group, SettledLimits } from './backend.ts';
import { refuseShrinking } from './shrink.ts';
import { isUnreachable, type SystemdLink } from './systemd-link.ts';
import { type JobUnits, limitProperties } from './systemd-plan.ts';

/** How often a v1 group is looked at while its end is awaited: v1 notifies nobody but its release agent. */
const V1_PAUSE_MS = 50;
const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit';

interface SystemdGroupParts {
  readonly link: SystemdLink;
  readonly units: JobUnits;
  readonly paths: HostPaths;
  readonly files: ControlFiles;
  readonly leaf: ControlFiles;
  readonly settle: (asked: AskedLimits) => SettledLimits;
  readonly ending: () => Promise<Ending>;
  /** Gives up what was kept for `ending`. */
  readonly forget: () => void;
}

/** The control files of the job's slice, and of the group in it that the process is in. */
export interface JobFiles {
  readonly files: ControlFiles;
  readonly leaf: ControlFiles;
}

/**
 * The control files of the job's slice, found by where the process is, since a folder's name can differ from the unit's
 * (systemd prefixes names that collide with the kernel's own). Undefined when the process is not in the slice.
 */
export function filesOfSlice(paths: HostPaths, layout: CgroupLayout, slice: string, pid: number): JobFiles | undefined {
  const membership = readMembership(paths, pid);
  if (!membership) return undefined;
  const own = new Map([...membership.v1].filter(([c, path]) => layout.v1.has(c) && upTo(slice, path) !== undefined));
  if (own.size > 0) {
    const slices = new Map([...own].map(([controller, path]) => [controller, upTo(slice, path) ?? path]));
    return { files: controlFilesV1(layout, slices), leaf: controlFilesV1(layout, own) };
  }
  const group = upTo(slice, membership.v2);
  if (!layout.v2 || group === undefined || membership.v2 === undefined) return undefined;
  return { files: controlFilesV2(layout.v2, group), leaf: controlFilesV2(layout.v2, membership.v2) };
}

/** The path as far as the slice's folder; undefined where it is not in the path. */
function upTo(slice: string, path: string | undefined): string | undefined {
  const parts = path?.split('/') ?? [];
  const at = parts.findIndex((part) => part === slice || part === `_${slice}`);
  return at < 0 ? undefined : parts.slice(0, at + 1).join('/');
}

export class SystemdGroup implements Group {
  readonly kind = 'systemd';
  readonly unit: string;
  readonly files: ControlFiles;
  readonly leaf: ControlFiles;
  readonly #parts: SystemdGroupParts;
  readonly #folder: string;

  constructor(parts: SystemdGroupParts) {
    this.#parts = parts;
    this.unit = parts.units.unit;
    this.files = parts.files;
    this.leaf = parts.leaf;
    this.#folder =
      (['pids', 'memory', 'cpuacct', 'cpu'] as const).map((c) => parts.files.folder(c)).find((f) => f) ?? '';
  }

  contains(pid: number): boolean {
    const membership = readMembership(this.#parts.paths, pid);
    const paths = this.files.version === 2 ? [membership?.v2] : [...(membership?.v1.values() ?? [])];
    return paths.some((path) => path?.split('/').some((part) => part.endsWith(this.#parts.units.slice)));
  }

  processes(): readonly number[] {
    return processesBelow(this.#folder);
  }

  async set(asked: AskedLimits): Promise<SettledLimits> {
    refuseShrinking(this.files, valuesOf(asked));
    const settled = this.#parts.settle(asked);
    const properties = limitProperties(settled.limits, 'group');
    await this.#parts.link.persist(({ manager }) =>
      manager.setUnitProperties(this.#parts.units.slice, true, properties),
    );
    return settled;
  }

  async freeze(): Promise<void> {
    if (this.files.version === 1) {
      throw new SlicectlError('E_CONTROLLER', 'systemd freezes units on cgroup v2 only, and this host is on v1', {
        hint: 'send SIGSTOP instead',
      });
    }
    await this.#parts.link.persist(({ manager }) => manager.freezeUnit(this.unit));
  }

  async thaw(): Promise<void> {
    await this.#parts.link.persist(({ manager }) => manager.thawUnit(this.unit));
  }

  /**
   * SIGKILL thaws first, whoever froze the unit: a frozen unit whose processes are killed cannot be stopped by systemd any
   * more, and 262 never answers ThawUnit for it.
   */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const number = constants.signals[signal];
    const { link } = this.#parts;
    if (signal === 'SIGKILL' && this.files.version === 2) {
      await link.persist(({ manager }) => manager.thawUnit(this.unit)).catch(ignoreRefusal);
    }
    try {
      await link.persist(({ manager }) => manager.killUnit(this.unit, 'all', number));
    } catch (error) {
      if (busErrorName(error) !== NO_SUCH_UNIT) throw error;
    }
    if (signal === 'SIGKILL') await this.whenEmpty();
  }

  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.files.version === 2) {
      return untilControl(`${this.#folder}/cgroup.events`, () => isPopulated(this.#folder) !== true, signal);
    }
    while (this.processes().length > 0) await sleep(V1_PAUSE_MS, undefined, signal && { signal });
  }

  ending(): Promise<Ending> {
    return this.#parts.ending();
  }

  async remove(): Promise<boolean> {
    const { link, units, forget } = this.#parts;
    forget();
    if (this.processes().length > 0) return false;
    try {
      await link.persist(({ manager }) => manager.stopUnit(units.slice, 'replace'));
    } catch (error) {
      // The job's result counts for more than its empty slice, which a sweep finds by its name.
      if (busErrorName(error) !== NO_SUCH_UNIT && !isUnreachable(error)) throw error;
    }
    return true;
  }
}

/** A unit that is not frozen, not there, or frozen with a slice above it. */
function ignoreRefusal(error: unknown): void {
  if (busErrorName(error) === undefined) throw error;
}
