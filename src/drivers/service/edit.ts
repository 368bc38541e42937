import { posix } from 'node:path';
import { fileStep } from '../../change/file-step.ts';
import type { Step } from '../../change/plan.ts';
import { applyEdits, decodeConfig, encodeConfig, type TextEdit } from '../../core/config-text.ts';
import { quote, SlicectlError } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { readServiceCommand, type ServiceCommand } from './command.ts';
import { dropInStep } from './drop-in.ts';
import type { FlagUse } from './flags.ts';
import { PlannedTree } from './planned-tree.ts';
import { removals, replacement } from './splice.ts';

/** An edit in one of the files that the command line is made of. */
export interface PlacedEdit {
  readonly path: string;
  readonly edit: TextEdit;
}

/**
 * The steps after which the option has another value: where the old one is written, or where that is a vendor's unit, in
 * a new drop-in of ours. The result is read again, and `E_REFUSED` is thrown where it would not be just the change that
 * was asked for, or where the place must not be edited.
 */
export function changeFlag(tree: RootTree, command: ServiceCommand, use: FlagUse, value: string): readonly Step[] {
  refuseUncertain(command, use);
  const at = use.words.at(-1) ?? 0;
  const old = command.words[at]?.text ?? '';
  const text = use.words.length === 2 ? value : old.slice(0, old.length - use.value.length) + value;
  if (text === old) return [];
  const expected = command.words.map((word, index) => (index === at ? text : word.text));
  const purpose = `${use.name} ${value} of ${command.unit}`;
  for (const edit of replacement(command, at, text)) {
    const steps = toSteps(tree, command, [edit], purpose);
    if (reads(tree, command, steps, expected)) return steps;
  }
  throw refused(command, use, 'its value cannot be changed without changing other words');
}

/** The steps after which the option is gone; otherwise as {@link changeFlag}. */
export function removeFlag(tree: RootTree, command: ServiceCommand, use: FlagUse): readonly Step[] {
  refuseUncertain(command, use);
  const expected = command.words.filter((_, index) => !use.words.includes(index)).map(({ text }) => text);
  const steps = toSteps(tree, command, removals(command, use.words), `no ${use.name} for ${command.unit}`);
  if (reads(tree, command, steps, expected)) return steps;
  throw refused(command, use, 'it cannot be taken out without changing other words');
}

/** Whether unit files or drop-ins are among the steps, so that systemd has to read them again. */
export function needsReload(steps: readonly Step[]): boolean {
  return steps.some((step) => step.kind === 'file' && /\/systemd\/(?:system|user)(?:\.\w+)?\//.test(step.path));
}

function toSteps(tree: RootTree, command: ServiceCommand, edits: readonly PlacedEdit[], purpose: string): Step[] {
  const paths = [...new Set(edits.map(({ path }) => path))];
  const vendors: PlacedEdit[] = [];
  const steps: Step[] = [];
  for (const path of paths) {
    const own = edits.filter((edit) => edit.path === path);
    const place = placeOf(tree, command, path);
    if (place.kind === 'refused') throw refusedPlace(command, path, place.reason);
    if (place.kind === 'vendor') {
      vendors.push(...own);
      continue;
    }
    const found = tree.read(path);
    if (found === undefined) throw refusedPlace(command, path, 'it is gone');
    const { text: bare, bom } = decodeConfig(found.bytes, path);
    const text = applyEdits(
      bom ? `\ufeff${bare}` : bare,
      own.map(({ edit }) => edit),
    );
    steps.push(...fileStep(tree, path, encodeConfig({ text, bom: false }), purpose));
  }
  return vendors.length === 0 ? steps : [...steps, ...dropInStep(tree, command, vendors, purpose)];
}

type Place = { readonly kind: 'own' | 'vendor' } | { readonly kind: 'refused'; readonly reason: string };

/** Whether a file is the administrator's, a package's, or one that is made again by others. */
function placeOf(tree: RootTree, command: ServiceCommand, path: string): Place {
  const target = tree.follow(path);
  const isUnit = path === command.fragment || command.dropIns.includes(path);
  for (const at of [path, target]) {
    if (/^\/run\//.test(at))
      return { kind: 'refused', reason: 'what lies in /run is made again at each boot or by another program' };
    if (/^\/(?:nix|gnu|snap|ostree|var\/lib\/snapd)\//.test(at))
      return { kind: 'refused', reason: 'it belongs to a system that makes such files itself' };
  }
  const isVendors = [path, target].some((at) => /^\/(?:usr|lib|lib64)\//.test(at) || /\/\.local\/share\//.test(at));
  if (!isVendors) return { kind: 'own' };
  return isUnit
    ? { kind: 'vendor' }
    : { kind: 'refused', reason: 'it belongs to a package, whose next version would undo it' };
}

function reads(tree: RootTree, command: ServiceCommand, steps: readonly Step[], expected: readonly string[]): boolean {
  const after = readServiceCommand(
    new PlannedTree(tree, steps),
    command.unit,
    command.user ? { user: command.user } : {},
  );
  const words = after?.words.map(({ text }) => text) ?? [];
  return words.length === expected.length && words.every((text, index) => text === expected[index]);
}

function refuseUncertain(command: ServiceCommand, use: FlagUse): void {
  if (use.uncertain) throw refused(command, use, 'it is in a script of a shell, which cannot be edited safely');
  if (command.masked) throw refused(command, use, 'the unit is masked');
}

function refused(command: ServiceCommand, use: FlagUse, why: string): SlicectlError {
  const { path, line } = use.source;
  const where = path === undefined ? '' : ` (${path}${line === undefined ? '' : `:${line}`})`;
  return new SlicectlError('E_REFUSED', `${use.name} of ${command.unit}${where} is left alone: ${why}`, {
    hint: `change it by hand with systemctl edit ${command.unit}`,
    data: { unit: command.unit, path },
  });
}

function refusedPlace(command: ServiceCommand, path: string, why: string): SlicectlError {
  return new SlicectlError('E_REFUSED', `${quote(path)} is left alone: ${why}`, {
    hint: path.startsWith('/run/')
      ? `change what makes ${posix.basename(path)}, or set ExecStart= in a drop-in with systemctl edit ${command.unit}`
      : `set ExecStart= in a drop-in with systemctl edit ${command.unit}`,
    data: { unit: command.unit, path },
  });
}
