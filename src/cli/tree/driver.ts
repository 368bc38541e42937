import { Command, Option } from 'commander';
import { CGROUP_DRIVERS, RUNTIME_NAMES } from '../../drivers/model.ts';
import type { AlignOptions, CheckOptions, StatusOptions } from '../commands/driver.ts';
import type { Ending } from '../commands/run.ts';
import { collect } from './collect.ts';

/** `slicectl driver`, with its own commands. */
export function driverCommand(done: (ending: Ending) => void): Command {
  const driver = new Command('driver')
    .description('see and align the cgroup drivers of Docker, containerd, CRI-O, podman and the kubelet')
    .usage('<command> [options]');
  const commands = [statusCommand(done), alignCommand(done), checkCommand(done)];
  for (const command of commands) driver.addCommand(scoped(command));
  return driver;
}

/** The options that say what is looked at. */
function scoped(command: Command): Command {
  return command
    .addOption(
      new Option('--runtime <name>', 'only this runtime; may be repeated').choices(RUNTIME_NAMES).argParser(collect),
    )
    .addOption(new Option('--root <dir>', 'look at the tree below this folder, in which nothing runs'))
    .addOption(
      new Option(
        '--assume <name=version>',
        'the version of a runtime that is or will be installed, such as docker=28.5; may be repeated',
      ).argParser(collect),
    )
    .option('--json', 'print as JSON');
}

function statusCommand(done: (ending: Ending) => void): Command {
  return new Command('status')
    .description('show which driver each runtime has now and at its next start, and where that is set')
    .action(async (options: StatusOptions) => {
      const { status } = await import('../commands/driver.ts');
      done(await status(options));
    });
}

function alignCommand(done: (ending: Ending) => void): Command {
  return new Command('align')
    .description('give all runtimes one driver: plan, preview, apply, prove; slicectl undo takes it back')
    .addOption(new Option('--to <driver>', 'the driver for all of them').choices(CGROUP_DRIVERS).makeOptionMandatory())
    .option('-n, --dry-run', 'print the plan and do nothing')
    .option('-y, --yes', 'do not ask')
    .option('--live-restore', "switch Docker's live-restore on first, so that its containers survive the restart")
    .option('--stop-containers', 'allow a restart of Docker that stops containers which nobody starts again')
    .option('--drained', 'allow a change under the kubelet: the node is drained')
    .action(async (options: AlignOptions) => {
      const { align } = await import('../commands/driver.ts');
      done(await align(options));
    });
}

function checkCommand(done: (ending: Ending) => void): Command {
  return new Command('check')
    .description('end with 0 if every runtime has the driver that is expected, else with 3')
    .addOption(
      new Option('--expect <driver>', 'the driver that all should have').choices(CGROUP_DRIVERS).makeOptionMandatory(),
    )
    .option('-q, --quiet', 'print nothing')
    .action(async (options: CheckOptions) => {
      const { check } = await import('../commands/driver.ts');
      done(await check(options));
    });
}
