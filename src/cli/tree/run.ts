import { Command, Option } from 'commander';
import { PROPERTIES } from '../../core/properties/table.ts';
import type { Ending } from '../commands/run.ts';
import { collect } from './collect.ts';

/** `slicectl run` */
export function runCommand(done: (ending: Ending) => void): Command {
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
    ['Place:', '--exclusive <cores>', 'lease this many free whole cores, which no other job that leases gets'],
    ['Place:', '--numa-node <node>', 'with --exclusive: cores of this node'],
    ['Place:', '--reservation <slice>', 'with --exclusive: cores that slicectl cpus reserved for this slice'],
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
    const { run: act } = await import('../commands/run.ts');
    done(await act(words, values));
  });
}
