// Builds dist/: the library by tsc, with its declarations, and the command line as one file, which starts faster than a
// hundred modules. What is imported lazily in the source is still run only when it is needed.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/cli/main.js',
  bundle: true,
  // Parsers of other programs' configuration, which `run` never needs.
  external: ['diff', 'jsonc-parser', 'toml-eslint-parser', 'yaml'],
  minifySyntax: true,
  minifyWhitespace: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'error',
  // dbus-next and commander are CommonJS, and ask for Node's own modules by require().
  banner: {
    js: 'import { createRequire as slicectlRequire } from "node:module"; const require = slicectlRequire(import.meta.url);',
  },
});
chmodSync('dist/cli/main.js', 0o755);
