import { isAtLeast } from '../../core/program-version.ts';

/** The names under which a configuration can hold the CRI plugin's runtimes. */
export const CRI_V1 = 'cri';
export const CRI_V2 = 'io.containerd.grpc.v1.cri';
export const CRI_V3 = 'io.containerd.cri.v1.runtime';
export const CRI_SECTIONS = [CRI_V1, CRI_V2, CRI_V3] as const;

/** How one range of versions reads its configuration. */
export interface Dialect {
  /** The first version that reads so. */
  readonly from: string;
  /** The highest `version =` that it knows. */
  readonly newest: 1 | 2 | 3 | 4;
  /** What a higher number does: nothing at all, as if it were the highest; or no start. */
  readonly newer: 'ignored' | 'refused';
  /** Whether `imports =` is followed, and what a pattern without leading `/` starts at. */
  readonly imports: 'none' | 'working-directory' | 'file';
  /** What a later file does to a plugin's section that an earlier one has: replaces it, or adds and overrides keys. */
  readonly merge: 'replace' | 'deep';
  /**
   * How the section of version 2 gets into that of version 3: not at all; when all files are merged and the last
   * `version =` is below 3, by replacing it or by filling in what it lacks; or within each file whose number is lower.
   */
  readonly migration: 'none' | 'replace' | 'fill' | 'each';
  /** What becomes of the built-in table `runc` when a file has runtimes: it stays as one of them, goes, or is what a file's `runc` is laid over. */
  readonly builtIn: 'stays' | 'goes' | 'under';
  /** How many parts a plugin's name must have where the number is 2 or more, and how it must begin. */
  readonly pluginNames: RegExp | undefined;
}

const FOUR_PARTS = /^[^.]*(?:\.[^.]*){3,}$/;
const CONTAINERD_PARTS = /^io\.containerd\.[^.]*\..*$/s;

const V1_3 = {
  newest: 2,
  newer: 'ignored',
  imports: 'working-directory',
  merge: 'replace',
  migration: 'none',
  builtIn: 'stays',
  pluginNames: FOUR_PARTS,
} as const;
const V2_0 = {
  newest: 3,
  newer: 'refused',
  imports: 'file',
  merge: 'deep',
  migration: 'replace',
  builtIn: 'under',
  pluginNames: undefined,
} as const;

/**
 * The one table of what differs between versions, oldest first. From containerd's sources at these tags (services/server/
 * config/config.go, later cmd/containerd/server/config/config.go; pkg/cri/config; plugins/cri/runtime/plugin.go), and
 * tried with `config dump` of 1.6.20, 1.7.24 and 2.1.9.
 */
const DIALECTS: readonly Dialect[] = [
  { from: '0', ...V1_3, newest: 1, imports: 'none', pluginNames: undefined },
  { from: '1.3', ...V1_3 },
  { from: '1.5', ...V1_3, builtIn: 'goes' },
  { from: '1.6.29', ...V1_3, builtIn: 'goes', imports: 'file' },
  { from: '1.6.32', ...V1_3, builtIn: 'goes', imports: 'file', newer: 'refused' },
  { from: '1.7', ...V1_3, builtIn: 'goes', pluginNames: CONTAINERD_PARTS },
  { from: '1.7.16', ...V1_3, builtIn: 'goes', pluginNames: CONTAINERD_PARTS, imports: 'file' },
  { from: '1.7.17', ...V1_3, builtIn: 'goes', pluginNames: CONTAINERD_PARTS, imports: 'file', newer: 'refused' },
  { from: '2.0', ...V2_0 },
  { from: '2.0.2', ...V2_0, migration: 'fill' },
  { from: '2.3', ...V2_0, migration: 'each', newest: 4 },
];

/** How a version reads; the newest known way for versions to come. */
export function dialectOf(version: string): Dialect {
  const found = DIALECTS.findLast(({ from }) => isAtLeast(version, from));
  return found ?? { from: '0', ...V1_3 };
}

/** Whether the runtimes of a version are configured under a name of their own, and v1 shims are gone: 2.0 and later. */
export function isVersion2(dialect: Dialect): boolean {
  return dialect.merge === 'deep';
}

/**
 * The names under which a file's runtimes count, given its own `version =` (0 without one) and the last one of all files.
 */
export function sectionsThatCount(dialect: Dialect, header: number, last: number): readonly string[] {
  if (!isVersion2(dialect)) return [last <= 1 || dialect.newest === 1 ? CRI_V1 : CRI_V2];
  const isMigrated = dialect.migration === 'each' ? header < dialect.newest : last < dialect.newest;
  if (!isMigrated) return [CRI_V3];
  return header <= 1 ? [CRI_V3, CRI_V2, CRI_V1] : [CRI_V3, CRI_V2];
}
