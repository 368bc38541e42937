import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Refusal } from '../../change/plan.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { type CrioPlaces, walk } from './files.ts';

const TIMEOUT_MS = 20_000;

/**
 * Asks `crio config`, which reads the files as the daemon does and checks them as far as can be without starting, about
 * copies of them. `tree` has the files as they would be.
 */
export async function validateFiles(program: string, tree: RootTree, places: CrioPlaces): Promise<readonly Refusal[]> {
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-crio-'));
  try {
    const answer = await run(program, [...copies(tree, places, folder), 'config']);
    if (answer === undefined) return [];
    return [{ reason: `crio itself refuses the files as they would be: ${answer.replaceAll(folder, '')}` }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies of all files, the drop-ins under names that keep their order; the options that point there. */
function copies(tree: RootTree, { main, folder }: CrioPlaces, to: string): string[] {
  const content = main === undefined ? undefined : tree.read(main)?.bytes;
  if (content !== undefined) writeFileSync(join(to, 'crio.conf'), content);
  const dropIns = join(to, 'crio.conf.d');
  mkdirSync(dropIns);
  for (const [at, path] of (folder === undefined ? [] : walk(tree, folder)).entries()) {
    const bytes = tree.read(path)?.bytes;
    if (bytes !== undefined) writeFileSync(join(dropIns, String(at).padStart(6, '0')), bytes);
  }
  return ['--config', content === undefined ? '' : join(to, 'crio.conf'), '--config-dir', dropIns];
}

/** What it says when it fails; undefined when it does not, or cannot be asked. */
function run(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: TIMEOUT_MS, env: {}, maxBuffer: 4 * 1024 * 1024 }, (error, _, stderr) => {
      const hasFailed = error !== null && typeof error.code === 'number';
      resolve(hasFailed ? (stderr.trim().split('\n').at(-1) ?? `status ${error.code}`) : undefined);
    });
  });
}
