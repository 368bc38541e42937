#!/usr/bin/env node
import { closeSync } from 'node:fs';
import process from 'node:process';
import type { Ending } from './commands/run.ts';
import { runProgram, tellWhy } from './program.ts';

const argv = process.argv.slice(2);
process.on('uncaughtException', (error) => {
  tellWhy(error, argv).then(end, () => end(1));
});
end(await runProgram(argv));

function end(ending: Ending): void {
  leaveTerminal();
  if (typeof ending === 'string') process.kill(process.pid, ending);
  else process.exit(ending);
}

/**
 * At its exit Node puts the terminal and the flags of the three standard descriptors back as they were at its start, which
 * would undo a job's stty(1). It leaves closed ones alone.
 */
function leaveTerminal(): void {
  for (const descriptor of [0, 1, 2]) closeSync(descriptor);
}
