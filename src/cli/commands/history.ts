import { listChanges, openStore, readChange, sizeOf } from '../../change/journal.ts';
import { openTree } from '../../host/root-tree.ts';
import { readSelf } from '../../host/self.ts';
import { print } from '../output.ts';
import { changeJson, changeText, historyText } from '../render/history.ts';
import { hasColour } from './change.ts';

export interface HistoryOptions {
  readonly json?: boolean;
  readonly root?: string;
}

/** `slicectl history [ID]`: all lasting changes, or one with its steps. */
export async function history(id: string | undefined, { json, root }: HistoryOptions): Promise<number> {
  const store = openStore(openTree(root), readSelf());
  const changes = id === undefined ? listChanges(store) : [readChange(store, id)];
  if (json) {
    const all = changes.map((change) => changeJson(change, sizeOf(store, change.id)));
    print(`${JSON.stringify({ version: 1, folder: store.folder, changes: all }, undefined, 2)}\n`);
  } else print(id === undefined ? historyText(changes) : changes.map(oneText).join(''));
  return 0;
}

function oneText(change: ReturnType<typeof listChanges>[number]): string {
  return 'plan' in change ? changeText(change, { colour: hasColour() }) : historyText([change]);
}
