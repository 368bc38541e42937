import { posix } from 'node:path';
import { fileStep } from '../../change/file-step.ts';
import type { Step } from '../../change/plan.ts';
import { applyEdits } from '../../core/config-text.ts';
import { SlicectlError } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import type { ServiceCommand } from './command.ts';
import type { PlacedEdit } from './edit.ts';

const NAMES = ['90-slicectl.conf', '99-slicectl.conf', '99z-slicectl.conf', 'zz-slicectl.conf', 'zzzz-slicectl.conf'];

/** A drop-in of ours that repeats settings of units which must not be edited, with the edits in them. */
export function dropInStep(
  tree: RootTree,
  command: ServiceCommand,
  edits: readonly PlacedEdit[],
  purpose: string,
): readonly Step[] {
  const sources = [...new Set(edits.map(({ path }) => path))];
  const lines = [
    `# Made by slicectl from ${sources.join(' and ')}.`,
    '# "slicectl undo" takes it back.',
    '[Service]',
    ...settings(command, edits),
  ];
  const path = freePath(tree, command);
  return fileStep(tree, path, new TextEncoder().encode(`${lines.join('\n')}\n`), purpose);
}

function settings({ execStart, environment, texts }: ServiceCommand, edits: readonly PlacedEdit[]): string[] {
  const lines: string[] = [];
  const left = new Set(edits);
  /** The text between two offsets with the edits that lie in it. */
  const edited = (path: string, start: number, end: number): string | undefined => {
    const own = edits.filter(
      ({ path: at, edit }) => at === path && edit.offset >= start && edit.offset + edit.length <= end,
    );
    for (const edit of own) left.delete(edit);
    if (own.length === 0) return undefined;
    const moved = own.map(({ edit }) => ({ ...edit, offset: edit.offset - start }));
    return applyEdits((texts.get(path) ?? '').slice(start, end), moved).replaceAll('\r\n', '\n');
  };
  const command = execStart?.assignment.value.from;
  const [first, last] = [command?.[0], command?.at(-1)];
  if (execStart !== undefined && first !== undefined && last !== undefined) {
    const line = edited(execStart.path, first.start, last.end);
    if (line !== undefined) lines.push('ExecStart=', `ExecStart=${line}`);
  }
  for (const { setting, word } of environment.values()) {
    if (setting === undefined || word === undefined) continue;
    const from = setting.assignment.value.from;
    const [start, end] = [from[word.start], from[word.end - 1]];
    if (start === undefined || end === undefined) continue;
    const text = edited(setting.path, start.start, end.end);
    if (text !== undefined) lines.push(`Environment=${text}`);
  }
  if (left.size > 0) throw new SlicectlError('E_REFUSED', 'a drop-in cannot hold this change');
  return lines;
}

/** A name that is free and sorts behind all drop-ins there are, since the last one counts. */
function freePath(tree: RootTree, command: ServiceCommand): string {
  const { unit, dropIns, user } = command;
  const folder = user === undefined ? `/etc/systemd/system/${unit}.d` : `${user.home}/.config/systemd/user/${unit}.d`;
  const taken = dropIns.map((path) => Buffer.from(posix.basename(path)));
  const name = NAMES.find(
    (candidate) =>
      tree.kind(`${folder}/${candidate}`) === 'absent' &&
      taken.every((other) => Buffer.compare(other, Buffer.from(candidate)) < 0),
  );
  if (name !== undefined) return `${folder}/${name}`;
  throw new SlicectlError('E_REFUSED', `no name for a drop-in in ${folder} would come last`, {
    hint: `change the option by hand with systemctl edit ${unit}`,
  });
}
