import { Command } from 'commander';
import type { Ending } from '../commands/run.ts';

/** `slicectl sweep` */
export function sweepCommand(done: (ending: Ending) => void): Command {
  return new Command('sweep')
    .description('remove the empty groups that a killed slicectl left behind')
    .option('--user', 'those of the user manager')
    .option('--system', 'those of the system manager')
    .option('--json', 'print as JSON')
    .action(async (options: { user?: boolean; system?: boolean; json?: boolean }) => {
      const { sweep } = await import('../commands/sweep.ts');
      done(await sweep(options));
    });
}
