import { join } from 'node:path';
import { build } from 'esbuild';

/** Makes a program of this folder one file (`NAME.mjs` in `folder`) that runs with node alone, and gives its path. */
export async function bundle(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    // An emulated CPU takes a second for a megabyte.
    minify: true,
    platform: 'node',
    mainFields: ['module', 'main'],
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    banner: { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' },
  });
  return outfile;
}
