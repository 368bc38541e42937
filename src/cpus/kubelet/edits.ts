import type { FileStep, Step } from '../../change/plan.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readSettings } from '../../drivers/kubelet/config.ts';
import { addField, type FieldEdit, setInFile } from '../../drivers/kubelet/edit.ts';
import type { KubeletFacts, KubeletSettings } from '../../drivers/kubelet/facts.ts';
import { placesOf } from '../../drivers/kubelet/settings.ts';
import { readServiceCommand, type ServiceCommand } from '../../drivers/service/command.ts';
import { changeFlag } from '../../drivers/service/edit.ts';
import type { FlagUse } from '../../drivers/service/flags.ts';
import { PlannedTree } from '../../drivers/service/planned-tree.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { policyOptionsOf } from './read.ts';

/** One thing that the kubelet is to be told. */
export interface Wish {
  readonly field: 'cpuManagerPolicy' | 'reservedSystemCPUs' | 'cpuManagerPolicyOptions';
  /** The entry of `cpuManagerPolicyOptions`. */
  readonly option?: string;
  readonly value: string;
}

const PURPOSE = "the kubelet's CPU manager";
const NEIGHBOURS = ['reservedSystemCPUs', 'cpuManagerPolicyOptions', 'cpuManagerPolicy', 'cgroupDriver', 'cgroupRoot'];
const FLAGS: Readonly<Record<Wish['field'], string>> = {
  cpuManagerPolicy: '--cpu-manager-policy',
  reservedSystemCPUs: '--reserved-cpus',
  cpuManagerPolicyOptions: '--cpu-manager-policy-options',
};

/**
 * The steps after which the kubelet is told these things: each where what counts now is written, a flag before a file. One
 * step for each file. `E_REFUSED` or `E_SYNTAX` where a place must not or cannot be edited.
 */
export function editsFor(kubelet: KubeletFacts, wishes: readonly Wish[]): readonly (Step & FileStep)[] {
  let steps: readonly (Step & FileStep)[] = [];
  for (const wish of wishes) {
    const tree = new PlannedTree(kubelet.tree, steps);
    steps = merged([...steps, ...editFor(tree, kubelet, wish).filter((step) => step.kind === 'file')]);
  }
  return steps;
}

function editFor(tree: RootTree, kubelet: KubeletFacts, wish: Wish): readonly Step[] {
  const command = readServiceCommand(tree, kubelet.command.unit) ?? kubelet.command;
  const settings = readSettings(tree, command, kubelet.version);
  if (isSo(settings, wish)) return [];
  const { field, option, value } = wish;
  const edit: FieldEdit = {
    keys: option === undefined ? [field] : [field, option],
    value,
    purpose: PURPOSE,
    after: NEIGHBOURS,
  };
  const [place] = placesOf(settings, field);
  if (place?.flag !== undefined) return changeFlag(tree, command, place.flag, flagValue(place.flag, wish));
  if (place?.layer !== undefined) return setInFile(tree, place.layer.path, edit);
  const steps = addField(tree, settings, edit);
  if (steps !== undefined) return steps;
  throw noPlace(command, `${FLAGS[field]}=${option === undefined ? value : `${option}=${value}`}`);
}

function isSo(settings: KubeletSettings, { field, option, value }: Wish): boolean {
  if (option !== undefined) return policyOptionsOf(settings)[option] === value;
  return placesOf(settings, field)[0]?.value === value;
}

/** The new value of the flag: for options, those that it has stay. */
function flagValue({ value: old }: FlagUse, { option, value }: Wish): string {
  if (option === undefined) return value;
  const others = old.split(',').filter((pair) => pair !== '' && pair.split('=')[0]?.trim() !== option);
  return [...others, `${option}=${value}`].join(',');
}

/** A file that is written several times is written once, from what it is now to what it is in the end. */
function merged(steps: readonly (Step & FileStep)[]): readonly (Step & FileStep)[] {
  const byTarget = new Map<string, Step & FileStep>();
  for (const step of steps) {
    const first = byTarget.get(step.target);
    byTarget.set(step.target, { ...step, before: first?.before ?? step.before, purpose: PURPOSE });
  }
  return [...byTarget.values()];
}

function noPlace({ unit }: ServiceCommand, flag: string): SlicectlError {
  return new SlicectlError('E_REFUSED', `${unit} gives the kubelet no file of configuration in which to set it`, {
    hint: `give it one with --config, or add ${flag} to its options by hand`,
  });
}
