import { posix } from 'node:path';
import type { FileState, Step } from '../../change/plan.ts';
import { type FoundFile, RootTree } from '../../host/root-tree.ts';

/** A tree as it would be after the file steps of a plan: what is read of it shows what a change would mean. */
export class PlannedTree extends RootTree {
  readonly #planned = new Map<string, FileState>();

  constructor(tree: RootTree, steps: readonly Step[]) {
    super(tree.root);
    for (const step of steps) if (step.kind === 'file') this.#planned.set(step.target, step.after);
  }

  override read(path: string): FoundFile | undefined {
    const target = this.follow(path);
    const state = this.#planned.get(target);
    if (state === undefined) return super.read(path);
    if (!state.exists) return undefined;
    const { mode, uid, gid } = state;
    return { path, target, bytes: Buffer.from(state.bytes), mode, uid, gid, mtimeMs: 0 };
  }

  override list(path: string): string[] {
    const folder = this.follow(path);
    const names = new Set(super.list(path));
    for (const [target, { exists }] of this.#planned) {
      if (posix.dirname(target) !== folder) continue;
      if (exists) names.add(posix.basename(target));
      else names.delete(posix.basename(target));
    }
    return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  override kind(path: string): 'file' | 'folder' | 'other' | 'absent' {
    const target = this.follow(path);
    const state = this.#planned.get(target);
    if (state !== undefined) return state.exists ? 'file' : 'absent';
    const kind = super.kind(path);
    const isNewFolder = [...this.#planned].some(([planned, { exists }]) => exists && planned.startsWith(`${target}/`));
    return kind === 'absent' && isNewFolder ? 'folder' : kind;
  }
}
