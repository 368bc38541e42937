import { fileStep } from '../../change/file-step.ts';
import type { FileStep, Step } from '../../change/plan.ts';
import { decodeConfig, encodeConfig } from '../../core/config-text.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { setYaml } from '../formats/yaml-edit.ts';
import { API_VERSION, KIND } from './config.ts';
import type { KubeletSettings } from './facts.ts';

const OWN_DROP_IN = '90-slicectl.conf';

export interface FieldEdit {
  /** The field, or the way to an entry of one that is a mapping. */
  readonly keys: readonly string[];
  readonly value: string;
  readonly purpose: string;
  /** Fields beside which it belongs where the file is in no order, the best first. */
  readonly after: readonly string[];
}

/** The step after which a file of configuration has this value, and every other byte as before. `E_SYNTAX` where it cannot be. */
export function setInFile(tree: RootTree, path: string, edit: FieldEdit): readonly (Step & FileStep)[] {
  const bytes = tree.read(path)?.bytes ?? new TextEncoder().encode(`apiVersion: ${API_VERSION}\nkind: ${KIND}\n`);
  const { text, bom } = decodeConfig(bytes, path);
  const edited = setYaml(text, edit.keys, edit.value, { path, after: edit.after });
  return fileStep(tree, path, encodeConfig({ text: edited, bom }), edit.purpose);
}

/**
 * The step that sets a field which is nowhere yet: in the file of `--config`, else in a drop-in of ours. Undefined where
 * the kubelet is given neither.
 */
export function addField(
  tree: RootTree,
  { layers, configDir }: KubeletSettings,
  edit: FieldEdit,
): readonly (Step & FileStep)[] | undefined {
  const base = layers.find(({ kind }) => kind === 'config');
  if (base !== undefined) return setInFile(tree, base.path, edit);
  return configDir === undefined ? undefined : setInFile(tree, `${configDir}/${OWN_DROP_IN}`, edit);
}
