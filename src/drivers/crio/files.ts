import type { RootTree } from '../../host/root-tree.ts';
import type { Source } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import { type FlagUse, findFlags } from '../service/flags.ts';
import type { CrioRules } from './versions.ts';

/** An option of crio's command line, or the variable that stands for it. */
export interface Option {
  readonly value: string;
  readonly source: Source;
  /** Undefined for a variable. */
  readonly use: FlagUse | undefined;
}

export interface CrioPlaces {
  /** The main file; undefined where it was switched off by an empty --config. */
  readonly main: string | undefined;
  /** It was named by an option, so that CRI-O fails without it. */
  readonly mainRequired: boolean;
  /** The folder of drop-ins; undefined where there is none. */
  readonly folder: string | undefined;
  readonly manager: Option | undefined;
  readonly monitor: Option | undefined;
  readonly listen: Option | undefined;
}

const MAIN = '/etc/crio/crio.conf';
const FOLDER = '/etc/crio/crio.conf.d';

/** Where that CRI-O would read its settings from (internal/criocli/criocli.go). */
export function placesOf(command: ServiceCommand | undefined, rules: CrioRules): CrioPlaces {
  const config = optionOf(command, ['--config', '-config', '-c'], 'CONTAINER_CONFIG');
  const folder = optionOf(command, ['--config-dir', '-config-dir', '-d'], 'CONTAINER_CONFIG_DIR');
  return {
    main: (config?.value ?? MAIN) || undefined,
    mainRequired: config !== undefined,
    folder: rules.dropIns ? (folder?.value ?? FOLDER) || undefined : undefined,
    manager: optionOf(command, ['--cgroup-manager', '-cgroup-manager'], 'CONTAINER_CGROUP_MANAGER'),
    monitor: optionOf(command, ['--conmon-cgroup', '-conmon-cgroup'], 'CONTAINER_CONMON_CGROUP'),
    listen: optionOf(command, ['--listen', '-listen'], 'CONTAINER_LISTEN'),
  };
}

/** The last use on the command line, or else the variable. */
function optionOf(command: ServiceCommand | undefined, names: readonly string[], variable: string): Option | undefined {
  if (command === undefined) return undefined;
  const isWhole = ({ name, words }: FlagUse): boolean =>
    name.length > 2 || words.length === 2 || command.words[words[0] ?? 0]?.text.startsWith(`${name}=`) === true;
  const use = findFlags(command, names).findLast(isWhole);
  if (use !== undefined) return { value: use.value, source: use.source, use };
  const set = command.environment.get(variable);
  return set && { value: set.value, source: set.source, use: undefined };
}

/**
 * All files of a folder and those below it, whatever their names, in the order of filepath.Walk: by name, a folder's
 * content in the place of the folder. A link is read as a file, whatever it leads to, also in the place of the folder.
 */
export function walk(tree: RootTree, folder: string): readonly string[] {
  if (tree.kind(folder) === 'absent') return [];
  const visit = (path: string): string[] =>
    tree.link(path) === undefined && tree.kind(path) === 'folder'
      ? tree.list(path).flatMap((name) => visit(`${path}/${name}`))
      : [path];
  return visit(folder);
}
