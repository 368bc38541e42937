import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { Step } from '../../src/change/plan.ts';
import type { AlignRequest, CgroupDriver, DriverHost } from '../../src/drivers/model.ts';
import { PlannedTree } from '../../src/drivers/service/planned-tree.ts';
import { RootTree } from '../../src/host/root-tree.ts';

/** A tree of files that is there for one test each. */
export interface TestTree {
  readonly root: string;
  readonly tree: RootTree;
  put(path: string, text?: string | Uint8Array): void;
  link(path: string, to: string): void;
  /** A program of a few lines of sh, in the place of a real one. */
  program(path: string, script: string): void;
  /** Makes the file steps of a plan true. */
  apply(steps: readonly Step[]): void;
}

/** Call it at the top of a file of tests; its fields are for use within them. */
export function useTree(): TestTree {
  let root = '';
  const at = (path: string): string => {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    return full;
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'slicectl-tree-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));
  return {
    get root() {
      return root;
    },
    get tree() {
      return new RootTree(root);
    },
    put: (path, text = '') => writeFileSync(at(path), text),
    link: (path, to) => symlinkSync(to, at(path)),
    program(path, script) {
      writeFileSync(at(path), `#!/bin/sh\n${script}\n`);
      chmodSync(join(root, path), 0o755);
    },
    apply(steps) {
      for (const step of steps) {
        if (step.kind === 'file' && step.after.exists) writeFileSync(at(step.target), step.after.bytes);
      }
    },
  };
}

/** A host whose files are those of the tree and where nothing runs. */
export function still(tree: RootTree, assumed: Readonly<Record<string, string>> = {}): DriverHost {
  const self = { uid: 0, env: {}, cwd: '/', parentPid: 1 };
  return { tree, live: undefined, assumed: new Map(Object.entries(assumed)), self };
}

export function request(to: CgroupDriver, ...allowed: string[]): AlignRequest {
  return { to, liveRestore: false, allowed: new Set(allowed) };
}

/** The text of a file as it would be after the steps. */
export function textAfter(tree: RootTree, steps: readonly Step[], path: string): string | undefined {
  return new PlannedTree(tree, steps).text(path);
}
