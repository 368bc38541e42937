import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { bashCompletion } from './generate/bash.ts';
import { readCommands } from './generate/commands.ts';
import { fishCompletion } from './generate/fish.ts';
import { limitsDocument } from './generate/limits.ts';
import { manPage } from './generate/man.ts';
import { cpusManPage } from './generate/man-cpus.ts';
import { driverManPage } from './generate/man-driver.ts';
import { runManPage } from './generate/man-run.ts';
import { zshCompletion } from './generate/zsh.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** Every file that is made from the command tree and the property table, by its path in the repository. */
export function generate(): ReadonlyMap<string, string> {
  const commands = readCommands();
  return new Map([
    ['docs/limits.md', limitsDocument()],
    ['contrib/man/slicectl.1', manPage(commands)],
    ['contrib/man/slicectl-run.1', runManPage(commands)],
    ['contrib/man/slicectl-cpus.1', cpusManPage(commands)],
    ['contrib/man/slicectl-driver.1', driverManPage(commands)],
    ['contrib/completion/slicectl.bash', bashCompletion(commands)],
    ['contrib/completion/_slicectl', zshCompletion(commands)],
    ['contrib/completion/slicectl.fish', fishCompletion(commands)],
  ]);
}

/** The generated files whose content in the checkout is another one. */
export function stale(): string[] {
  return [...generate()]
    .filter(([path, text]) => !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), 'utf8') !== text)
    .map(([path]) => path);
}

/** `npm run generate` writes them; with `--check` it only says which ones are not up to date. */
function main(isCheck: boolean): number {
  const old = stale();
  if (isCheck) {
    for (const path of old) process.stderr.write(`${path} is not up to date: npm run generate\n`);
    return old.length === 0 ? 0 : 1;
  }
  const files = generate();
  for (const path of old) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), files.get(path) ?? '');
    process.stdout.write(`${path}\n`);
  }
  return 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main(process.argv.includes('--check'));
