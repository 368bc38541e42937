import process from 'node:process';
import { Command, CommanderError, Option } from 'commander';
import { SlicectlError } from '../core/errors.ts';
import { PROPERTIES } from '../core/properties/table.ts';
import { VERSION } from '../core/version.ts';
import type { Ending } from './commands/run.ts';
import { print, tell } from './output.ts';

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
  if (code === 'E_INPUT' || code === 'E_PROFILE') return USAGE;
  return ['E_NO_BUS', 'E_NO_CGROUP', 'E_OWNED'].includes(code) ? HOST_CANNOT : FAILED;
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
  const run = runCommand(done).copyInheritedSettings(program);
  program.addCommand(run.passThroughOptions());
  program
    .command('sweep')
    .description('remove the empty groups that a killed slicectl left behind')
    .option('--user', 'those of the user manager')
    .option('--system', 'those of the system manager')
    .option('--json', 'print as JSON')
    .action(async (options: { user?: boolean; system?: boolean; json?: boolean }) => {
      const { sweep } = await import('./commands/sweep.ts');
      done(await sweep(options));
    });
  return program;
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

function runCommand(done: (ending: Ending) => void): Command {
  const run = new Command('run')
    .description('run a command under limits, and say what it used and why it ended')
    .argument('<command...>', 'the command and its arguments')
    .usage('[options] [--] <command...>');
  for (const { name, placeholder, help } of PROPERTIES.flatMap((row) => row.flags)) {
    run.addOption(new Option(`${name} ${placeholder}`, help).helpGroup('Limits:'));
  }
  const options: readonly [group: string, flags: string, help: string, choices?: readonly string[]][] = [
    ['Limits:', '-p, --property <Name=value>', 'a limit by its systemd name; may be repeated'],
    ['Limits:', '--profile <name>', 'limits from a profile: a name or a path; may be repeated'],
    ['Limits:', '--best-effort', 'run even when a limit cannot be held; say which'],
    ['Limits:', '--limits-env', 'tell the job in its environment how much it may use'],
    ['Place:', '--slice <slice>', 'the slice to run in, such as build.slice'],
    ['Place:', '--slice-inherit', 'put --slice below the slice of the caller'],
    ['Place:', '--unit <name>', 'the name of the unit'],
    ['Place:', '--description <text>', 'the description of the unit'],
    ['Place:', '--user', 'ask the user manager (default for everybody but root)'],
    ['Place:', '--system', 'ask the system manager (default for root)'],
    ['Place:', '--backend <kind>', 'how to hold the job', ['auto', 'systemd', 'cgroup-v2', 'cgroup-v1']],
    ['Place:', '--leftover <what>', 'processes that outlive the command', ['leave', 'kill', 'wait']],
    ['Job:', '--uid <user>', 'run as this user, with its groups'],
    ['Job:', '--gid <group>', 'run as this group'],
    ['Job:', '-d, --working-directory <dir>', 'start in this folder'],
    ['Job:', '-E, --setenv <NAME=value>', 'set a variable, or pass NAME on; may be repeated'],
    ['Job:', '--nice <level>', 'nice level, -20 to 19'],
    ['Service:', '--service', 'run as a transient service, which systemd starts'],
    ['Service:', '--wait', "wait for the service; its exit status is slicectl's"],
    ['Service:', '--collect', 'unload the service even after it failed'],
    ['Service:', '--output <where>', 'where the output of the service goes', ['terminal', 'journal']],
    ['Service:', '--expand-environment <yes|no>', 'expand $NAME in the arguments (default no)', ['yes', 'no']],
    ['Output:', '-n, --dry-run', 'print what would be sent and written, and do nothing'],
    ['Output:', '--receipt <form>', 'the receipt on stderr (default: text on a terminal)', ['text', 'json', 'none']],
    ['Output:', '--receipt-file <file>', 'write the receipt to a file, as JSON unless --receipt says otherwise'],
    ['Output:', '--json', 'the same as --receipt json; with --dry-run the plan as JSON'],
    ['Output:', '-q, --quiet', "no messages of slicectl, only the job's own output"],
  ];
  for (const [group, flags, help, choices] of options) {
    const option = new Option(flags, help).helpGroup(group);
    if (choices) option.choices(choices);
    run.addOption(/may be repeated/.test(help) ? option.argParser(collect) : option);
  }
  return run.action(async (words: string[], values: Readonly<Record<string, unknown>>) => {
    const { run: act } = await import('./commands/run.ts');
    done(await act(words, values));
  });
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
