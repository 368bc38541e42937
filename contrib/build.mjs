// Builds dist/: the library by tsc, with its declarations, and the command line in a few files, which start faster
// than hundreds of modules.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
await build({
  // The probe of `cpus audit --measure` is a process of its own.
  entryPoints: ['src/cli/main.ts', 'src/cli/probe.ts'],
  outdir: 'dist/cli',
  bundle: true,
  // What is imported lazily is a file of its own, since the parser looks at all of a file that it loads: with the code of
  // every command in one file, `run` took half as much time again.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  minifySyntax: true,
  minifyWhitespace: true,
  platform: 'node',
  mainFields: ['module', 'main'],
  format: 'esm',
  target: 'node20',
  logLevel: 'error',
  // dbus-next and commander are CommonJS, and ask for Node's own modules by require().
  banner: {
    js: 'import { createRequire as slicectlRequire } from "node:module"; const require = slicectlRequire(import.meta.url);',
  },
});
chmodSync('dist/cli/main.js', 0o755);
