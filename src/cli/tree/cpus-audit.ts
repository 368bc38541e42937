import { Command } from 'commander';
import type { AuditOptions } from '../commands/cpus-audit.ts';
import type { MeasureOptions } from '../commands/cpus-measure.ts';
import type { Ending } from '../commands/run.ts';

export function auditCommand(done: (ending: Ending) => void): Command {
  return new Command('audit')
    .description('find who may run and who ran on payload CPUs, and what undid a reservation; ends with 3 if any')
    .argument('[name]', 'the slice of one reservation; all without it')
    .option('--window <seconds>', 'watch for so long who runs there; 0 to leave that out', '2')
    .option('--fix', 'plan what mends it, and apply that')
    .option('-n, --dry-run', 'with --fix: print the plan and do nothing')
    .option('-y, --yes', 'with --fix: do not ask')
    .option('--watch', 'go on, and tell what becomes wrong or right again')
    .option('--json', 'print as JSON; with --watch an object a line')
    .optionsGroup('Measuring:')
    .option('--measure <seconds>', 'measure how late tasks wake up, on payload CPUs and on as many system CPUs')
    .option('--cpus <list>', 'on these CPUs')
    .option('--limit <microseconds>', 'count wake-ups that are later', '100')
    .option('--fifo', 'with real-time scheduling')
    .option('--save <file>', 'write the measurement as JSON')
    .option('--against <file>', 'show it beside one that was saved before')
    .option('--svg <file>', 'draw it')
    .action(async (name: string | undefined, options: AuditOptions & Partial<MeasureOptions>) => {
      if (options.measure !== undefined) {
        const { measure } = await import('../commands/cpus-measure.ts');
        return done(await measure(name, { ...options, measure: options.measure }));
      }
      const { audit } = await import('../commands/cpus-audit.ts');
      done(await audit(name, options));
    });
}
