import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { SlicectlError } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import type { Ending } from './commands/run.ts';
import { print, tell } from './output.ts';
import { changeCommands } from './tree/changes.ts';
import { cpusCommand } from './tree/cpus.ts';
import { driverCommand } from './tree/driver.ts';
import { runCommand } from './tree/run.ts';
import { sweepCommand } from './tree/sweep.ts';

/** Exit statuses that are not a job's own. */
const USAGE = 2;
const CANNOT_START = 125;
const START_STATUS: Readonly<Record<string, number>> = { E_COMMAND_NOT_EXECUTABLE: 126, E_COMMAND_NOT_FOUND: 127 };
const HOST_CANNOT = 4;
const FAILED = 1;

/** Parses the command line, does what it says, and resolves with how the program is to end. */
export async function runProgram(argv: readonly string[]): Promise<Ending> {
  let ending: Ending = 0;
  const program = buildProgram((result) => {
    ending = result;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return ending;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : isRun(argv) ? CANNOT_START : USAGE;
    return tellWhy(error, argv);
  }
}

/** Tells why the command line could not be done, and gives the exit status for it. */
export async function tellWhy(error: unknown, argv: readonly string[]): Promise<number> {
  const { debugText, errorLine, faultLine } = await import('./render/error.ts');
  tell(error instanceof SlicectlError ? errorLine(error) : faultLine(error));
  if (process.env.SLICECTL_DEBUG === '1') tell(debugText(error));
  return statusOf(error, isRun(argv));
}

function isRun(argv: readonly string[]): boolean {
  return argv.find((word) => !word.startsWith('-')) === 'run';
}

function statusOf(error: unknown, isOfRun: boolean): number {
  const code = error instanceof SlicectlError ? error.code : '';
  if (isOfRun) return START_STATUS[code] ?? CANNOT_START;
  if (['E_INPUT', 'E_PROFILE', 'E_SYNTAX'].includes(code)) return USAGE;
  return ['E_NO_BUS', 'E_NO_CGROUP', 'E_OWNED', 'E_PRIVILEGE', 'E_REFUSED'].includes(code) ? HOST_CANNOT : FAILED;
}

/** The command tree; actions load their own code when they are called. */
export function buildProgram(done: (ending: Ending) => void): Command {
  const program = new Command('slicectl')
    .description('Put resource limits on work through systemd or plain cgroups, and prove that the kernel holds them')
    .version(VERSION)
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: print, writeErr: tell, outputError: (text) => tell(usageLine(text)) });
  const all = [
    runCommand(done).passThroughOptions(),
    driverCommand(done),
    cpusCommand(done),
    ...changeCommands(done),
    sweepCommand(done),
  ];
  for (const command of all) program.addCommand(command);
  inherit(program);
  return program;
}

function inherit(parent: Command): void {
  for (const command of parent.commands) inherit(command.copyInheritedSettings(parent));
}

/** commander's complaint as one line that names the way out. */
function usageLine(text: string): string {
  const complaint = text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  return `slicectl: ${complaint}; --help lists what there is\n`;
}
