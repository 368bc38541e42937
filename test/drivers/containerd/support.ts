import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AlignRequest, CgroupDriver, DriverHost, RuntimePlan } from '../../../src/drivers/model.ts';
import { RootTree } from '../../../src/host/root-tree.ts';

export const MAIN = '/etc/containerd/config.toml';

export interface GoldenCase {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly dump: Readonly<Record<string, 'refused' | Readonly<Record<string, CgroupDriver>>>>;
}

/** What `containerd config dump` of Debian's packages of three releases made of these files. */
export const GOLDEN: readonly GoldenCase[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/containerd/config-dump.json'), 'utf8'),
);

/** A tree with these files, which goes with the test. */
export function makeTree(files: Readonly<Record<string, string>>): RootTree {
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-containerd-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const tree = new RootTree(folder);
  for (const [path, text] of Object.entries(files)) put(tree, path, text);
  return tree;
}

export function put(tree: RootTree, path: string, content: string | Uint8Array, mode = 0o644): void {
  const at = join(tree.root, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, content);
  chmodSync(at, mode);
}

/** A tree in which nothing runs, with a containerd of that version. */
export function hostOf(tree: RootTree, version?: string): DriverHost {
  const assumed = new Map(version === undefined ? [] : [['containerd', version] as const]);
  return { tree, live: undefined, assumed, self: { uid: 0, env: {}, cwd: '/', parentPid: 1 } };
}

export function request(to: CgroupDriver): AlignRequest {
  return { to, liveRestore: false, allowed: new Set() };
}

/** Writes what a plan writes. */
export function carryOut(tree: RootTree, plan: RuntimePlan): void {
  for (const step of plan.files) {
    if (step.kind === 'file' && step.after.exists) put(tree, step.target, step.after.bytes, step.after.mode);
  }
}

export function lines(...text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
