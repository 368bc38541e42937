import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineFolder } from './paths.ts';

const LINES = 30;

/** What the kernel of a machine printed when it broke, which is why nothing answers any more; empty where it did not. */
export function lastWords(name: string): string {
  const lines = consoleOf(name).split('\n');
  const first = lines.findIndex((line) => /\bOops: |\bBUG: |Kernel panic/.test(line));
  return first < 0 ? '' : `\nThe kernel of ${name} broke:\n${lines.slice(first, first + LINES).join('\n')}`;
}

function consoleOf(name: string): string {
  try {
    return readFileSync(join(machineFolder(name), 'console.log'), 'latin1');
  } catch {
    return '';
  }
}
