import { decodeConfig } from '../../core/config-text.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { parseYaml } from '../formats/yaml.ts';
import type { Source } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import { findFlags } from '../service/flags.ts';

/** One value of an option of k3s or RKE2, which its configuration and its command line both can give. */
export interface RancherValue {
  readonly value: string;
  readonly source: Source;
}

/** What k3s or RKE2 would be started with. */
export interface RancherConfig {
  /** All values of an option in the order in which they count; the last one wins where it has one value. */
  values(option: string): readonly RancherValue[];
}

/**
 * config.yaml, then the files of config.yaml.d by their names, then the command line (pkg/configfilearg). A later file
 * replaces an option of an earlier one, and `option+` adds to it. `E_SYNTAX` and `E_FILE` for a file with a fault.
 */
export function readRancherConfig(tree: RootTree, path: string, command: ServiceCommand | undefined): RancherConfig {
  const folder = `${path}.d`;
  const dropIns = tree.list(folder).filter((name) => /\.ya?ml$/.test(name));
  const all = new Map<string, RancherValue[]>();
  for (const file of [path, ...dropIns.map((name) => `${folder}/${name}`)]) {
    for (const [option, values] of valuesOf(tree, file)) {
      const name = option.replace(/\+$/, '');
      all.set(name, name === option ? values : [...(all.get(name) ?? []), ...values]);
    }
  }
  return {
    values(option) {
      const flags = command === undefined ? [] : findFlags(command, [`--${option}`]);
      return [...(all.get(option) ?? []), ...flags.map(({ value, source }) => ({ value, source }))];
    },
  };
}

function valuesOf(tree: RootTree, path: string): [option: string, values: RancherValue[]][] {
  const found = tree.read(path);
  if (found === undefined) return [];
  const file = parseYaml(decodeConfig(found.bytes, path).text, path);
  const top = file.documents[0]?.value;
  if (typeof top !== 'object' || top === null || Array.isArray(top)) return [];
  return Object.keys(top).map((option) => {
    const { value, line, column } = file.get([option]) ?? { value: undefined, line: 1, column: 1 };
    const source: Source = {
      kind: 'file',
      path,
      line,
      column,
      text: `${option} of ${path.slice(path.lastIndexOf('/') + 1)}`,
    };
    const list: unknown[] = Array.isArray(value) ? value : [value];
    return [option, list.map((each) => ({ value: String(each ?? ''), source }))];
  });
}
