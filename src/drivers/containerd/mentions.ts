import type { Finding, Source } from '../model.ts';
import { CRI_SECTIONS, CRI_V1, CRI_V2, CRI_V3, type Dialect, isVersion2, sectionsThatCount } from './dialect.ts';
import type { ConfigFile, LoadedConfig } from './load.ts';
import { pluginSwitch, type RuntimeTable, SWITCH } from './runtime-tables.ts';
import { findLeaf, findTable, type Leaf, type Place } from './tree.ts';

/** A `SystemdCgroup` anywhere in the files, whether it counts or not. */
export interface Mention {
  readonly file: ConfigFile;
  readonly section: string;
  readonly runtime: string;
  readonly leaf: Leaf;
}

export function mentionsIn(files: readonly ConfigFile[]): readonly Mention[] {
  return files.flatMap((file) =>
    CRI_SECTIONS.flatMap((section) => {
      const runtimes = findTable(file.tree, ['plugins', section, 'containerd', 'runtimes']);
      return [...(runtimes?.below.keys() ?? [])].flatMap((runtime) => {
        const leaf = findLeaf(runtimes, [runtime, 'options', SWITCH]);
        return leaf === undefined ? [] : [{ file, section, runtime, leaf }];
      });
    }),
  );
}

/** Where a value is written, in the words of the report. */
export function sourceOf({ path, line, column }: Place, text: string): Source {
  return { kind: 'file', path, line, column, text };
}

/** A finding that points at a place. */
export function at({ path, line, column }: Place): Pick<Finding, 'path' | 'line' | 'column'> {
  return { path, line, column };
}

/** Values for one runtime that do not count, whatever the reason. */
export function shadowedFor(
  { name, decider }: RuntimeTable,
  mentions: readonly Mention[],
): readonly (Source & { value: string })[] {
  return mentions
    .filter(({ runtime, leaf }) => runtime === name && leaf !== decider)
    .map(({ leaf, section }) => ({
      ...sourceOf(leaf.at, `${SWITCH} of ${name} in ${titleOf(section)}`),
      value: String(leaf.value),
    }));
}

/** Settings that this version passes over without a word, each with what would make it count. */
export function silentFindings(
  config: LoadedConfig,
  dialect: Dialect,
  version: string,
  tables: readonly RuntimeTable[],
): readonly Finding[] {
  const mentions = mentionsIn(config.files);
  return [
    ...mentions.flatMap((mention) => {
      const counts = sectionsThatCount(dialect, mention.file.header, config.version);
      return counts.includes(mention.section) ? [] : [wrongSection(mention, dialect, version, tables)];
    }),
    ...replacedSections(config, dialect),
    ...pluginSwitches(config, dialect),
  ];
}

function wrongSection(
  { file, section, runtime, leaf }: Mention,
  dialect: Dialect,
  version: string,
  tables: readonly RuntimeTable[],
): Finding {
  const meant = leaf.value === true ? 'systemd' : 'cgroupfs';
  const isAsMeant = tables.find(({ name }) => name === runtime)?.driver === meant;
  return {
    severity: isAsMeant ? 'warning' : 'error',
    code: 'containerd-wrong-section',
    message: `${SWITCH} = ${leaf.value} of ${runtime} does nothing: containerd ${version} does not read ${titleOf(section)} in a file ${headerOf(file)}`,
    hint: cureFor(file, section, dialect),
    ...at(leaf.at),
  };
}

/** What makes a section count that does not. */
export function cureFor(file: ConfigFile, section: string, dialect: Dialect): string {
  if (section === CRI_V2 && file.header <= 1 && dialect.newest > 1)
    return `put "version = 2" at the top of ${file.path}`;
  if (section === CRI_V1 && !isVersion2(dialect))
    return `take "version = ${file.header}" out, or name the section ${CRI_V2}`;
  if (isVersion2(dialect)) return `let "containerd config migrate" write the file anew, or name the section ${CRI_V3}`;
  return `this section is for containerd 2.0 and later; for this one it is ${titleOf(CRI_V2)} with "version = 2"`;
}

export function headerOf({ header }: ConfigFile): string {
  return header === 0 ? 'without version' : `of version = ${header}`;
}

export function titleOf(section: string): string {
  return section === CRI_V1 ? '[plugins.cri]' : `[plugins."${section}"]`;
}

/** 1.x: of the files that have the CRI section only the last one's counts, as a whole. */
function replacedSections(config: LoadedConfig, dialect: Dialect): readonly Finding[] {
  if (dialect.merge !== 'replace') return [];
  const [section = CRI_V2] = sectionsThatCount(dialect, 0, config.version);
  const having = config.files.flatMap((file) => {
    const table = findTable(file.tree, ['plugins', section]);
    return table === undefined ? [] : [table];
  });
  const winner = having.at(-1);
  return having.slice(0, -1).map((table) => ({
    severity: 'warning',
    code: 'containerd-import-replaced',
    message: `nothing of ${titleOf(section)} here counts: ${winner?.at.path} has it, too, and containerd 1.x takes the last one whole`,
    hint: 'write all of the section in one file',
    ...at(table.at),
  }));
}

/** `systemd_cgroup` of the plugin as a whole: gone in 2.0, and deadly before. */
function pluginSwitches(config: LoadedConfig, dialect: Dialect): readonly Finding[] {
  if (!isVersion2(dialect)) return [];
  const leaf = pluginSwitch(config.cri);
  if (leaf === undefined) return [];
  return [
    {
      severity: 'warning',
      code: 'containerd-systemd-cgroup',
      message: 'systemd_cgroup does nothing since containerd 2.0, which has a switch for each runtime instead',
      hint: `take it out, and set ${SWITCH} in the options of the runtimes`,
      ...at(leaf.at),
    },
  ];
}
