import { Command } from 'commander';
import type { ShowOptions } from '../commands/cpus-show.ts';
import type { Ending } from '../commands/run.ts';
import { auditCommand } from './cpus-audit.ts';

/** `slicectl cpus`, with its own commands. */
export function cpusCommand(done: (ending: Ending) => void): Command {
  return new Command('cpus')
    .description('see the CPUs of this machine, and who may run where')
    .usage('<command> [options]')
    .addCommand(showCommand(done))
    .addCommand(auditCommand(done));
}

function showCommand(done: (ending: Ending) => void): Command {
  return new Command('show')
    .description('show packages, NUMA nodes, caches and cores, and who may run where')
    .option('--json', 'print as JSON')
    .action(async (options: ShowOptions) => {
      const { show } = await import('../commands/cpus-show.ts');
      done(await show(options));
    });
}
