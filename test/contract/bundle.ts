import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Outcome } from './scenario.ts';
import { endings } from './scenarios/endings.ts';
import { limits } from './scenarios/limits.ts';

/** The names of all promises, for the tests that show them. */
export const PROMISES: readonly string[] = [...endings, ...limits].map(({ name }) => name);

/** The suite as one file, which any machine with Node can run. */
export async function bundleRunner(): Promise<string> {
  const outfile = join(mkdtempSync(join(tmpdir(), 'slicectl-contract-')), 'contract.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('runner.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    logLevel: 'error',
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  return outfile;
}

/** Reads the runner's lines. A promise without a line was not reached. */
export function readOutcomes(stdout: string): ReadonlyMap<string, Outcome> {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return new Map(lines.map((line) => JSON.parse(line) as Outcome).map((outcome) => [outcome.name, outcome]));
}
