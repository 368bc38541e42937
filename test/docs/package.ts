import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const MODULES = join(ROOT, 'node_modules');

/** A folder in which slicectl is installed as from the registry, by `npm pack`; its dependencies are the checkout's own. */
export interface Consumer {
  readonly folder: string;
  /** The files of the package. */
  readonly packed: readonly string[];
  /** Compiles the folder's TypeScript, declarations of all packages included; what the compiler says, empty when all is well. */
  compile(): string;
  remove(): void;
}

/** Built beside the checkout's dist/, which another build may be replacing meanwhile. */
export function makeConsumer(): Consumer {
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-consumer-'));
  const source = join(folder, 'package');
  const installed = join(folder, 'node_modules/slicectl');
  mkdirSync(source);
  mkdirSync(installed, { recursive: true });
  const { scripts: _, ...manifest } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  writeFileSync(join(source, 'package.json'), JSON.stringify(manifest));
  node([tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(source, 'dist')]);
  const [{ filename, files }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
      cwd: source,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
  for (const name of [...Object.keys(manifest.dependencies), '@types']) {
    symlinkSync(join(MODULES, name), join(folder, 'node_modules', name));
  }
  rmSync(source, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: STRICT, include: ['*.ts'] }));
  return {
    folder,
    packed: files.map(({ path }: { path: string }) => path),
    compile: () => {
      try {
        return node([tsc, '-p', folder]);
      } catch (error) {
        return String((error as { stdout?: unknown }).stdout);
      }
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

const tsc = join(MODULES, 'typescript/bin/tsc');

/** As strict as a consumer can be; `types` only names @types/node, which the declarations need. */
const STRICT = {
  module: 'nodenext',
  target: 'es2022',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
};

function node(args: readonly string[]): string {
  return execFileSync(process.execPath, args, { encoding: 'utf8', cwd: ROOT });
}
