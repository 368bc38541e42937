import { isAtLeast } from '../../core/program-version.ts';
import type { CgroupDriver } from '../model.ts';

/** What differs between versions of CRI-O, from the tags of github.com/cri-o/cri-o (pkg/config, internal/criocli). */
const FIRST_VERSIONS = {
  /** crio.conf.d and --config-dir. */
  dropIns: '1.17',
  /** Without a setting the manager is systemd, and no longer cgroupfs. */
  systemdByDefault: '1.18',
  /** The manager and the group of conmon are compared at the start. */
  pairs: '1.19',
  /** Each runtime has a monitor_cgroup, which conmon_cgroup overrides. */
  monitors: '1.24',
  /** An empty monitor_cgroup is system.slice before it is compared. */
  emptyIsSlice: '1.26',
  /** With cgroupfs the default system.slice is forgiven. */
  forgiving: '1.33',
} as const;

export type CrioRules = Readonly<Record<keyof typeof FIRST_VERSIONS, boolean>>;

/** Of an unknown version, those of the latest. */
export function rulesOf(version: string | undefined): CrioRules {
  const is = (first: string): boolean => version === undefined || isAtLeast(version, first);
  return {
    dropIns: is(FIRST_VERSIONS.dropIns),
    systemdByDefault: is(FIRST_VERSIONS.systemdByDefault),
    pairs: is(FIRST_VERSIONS.pairs),
    monitors: is(FIRST_VERSIONS.monitors),
    emptyIsSlice: is(FIRST_VERSIONS.emptyIsSlice),
    forgiving: is(FIRST_VERSIONS.forgiving),
  };
}

/** The groups that conmon would get. */
export interface Monitors {
  /** `conmon_cgroup`; undefined where nothing sets it. */
  readonly common: string | undefined;
  /** `monitor_cgroup` of the runtimes that files define; undefined where such a runtime has none. */
  readonly own: ReadonlyMap<string, string | undefined>;
  /** Whether files define the default runtime; else its monitor_cgroup is system.slice. */
  readonly definesDefault: boolean;
}

const SLICE = 'system.slice';

/** Why that CRI-O would refuse the pair at its start, in its own words, or undefined where it starts. */
export function pairFault(rules: CrioRules, manager: CgroupDriver, monitors: Monitors): string | undefined {
  if (!rules.monitors) return olderPairFault(rules, manager, monitors.common ?? SLICE);
  const own = [...monitors.own.values()].map((value) => value ?? '');
  const all = monitors.definesDefault ? own : [...own, SLICE];
  for (const value of all) {
    const fault = handlerFault(rules, manager, monitors.common || value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function handlerFault(rules: CrioRules, manager: CgroupDriver, value: string): string | undefined {
  if (manager === 'systemd') return isPodOrSlice(value || SLICE) ? undefined : NO_SLICE;
  const filled = rules.emptyIsSlice && !rules.forgiving ? value || SLICE : value;
  const compared = rules.forgiving && filled === SLICE ? '' : filled;
  return compared === 'pod' || compared === '' ? undefined : `${NO_POD}, and it is ${JSON.stringify(compared)}`;
}

/** Before 1.24 two checks contradict each other for an empty value, so that with cgroupfs only `pod` is left. */
function olderPairFault(rules: CrioRules, manager: CgroupDriver, value: string): string | undefined {
  if (!isPodOrSlice(value)) return NO_SLICE;
  if (!rules.pairs || manager === 'systemd' || value === 'pod') return undefined;
  return `${NO_POD}, and it is ${JSON.stringify(value)}`;
}

const NO_SLICE = 'conmon cgroup should be "pod" or a systemd slice';
const NO_POD = 'with the cgroupfs manager conmon cgroup should be "pod" or empty';

function isPodOrSlice(value: string): boolean {
  return value === 'pod' || value.endsWith('.slice');
}
