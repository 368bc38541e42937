import { Command, Option } from 'commander';
import type { ApplyOptions } from '../commands/cpus-apply.ts';
import type { ReleaseOptions } from '../commands/cpus-release.ts';
import type { ReserveOptions } from '../commands/cpus-reserve.ts';
import type { ShowOptions } from '../commands/cpus-show.ts';
import type { Ending } from '../commands/run.ts';
import { collect } from './collect.ts';
import { auditCommand } from './cpus-audit.ts';

/** `slicectl cpus`, with its own commands. */
export function cpusCommand(done: (ending: Ending) => void): Command {
  return new Command('cpus')
    .description('keep everything else off the CPUs of a slice: see, reserve, prove, audit, give back')
    .usage('<command> [options]')
    .addCommand(showCommand(done))
    .addCommand(reserveCommand(done))
    .addCommand(releaseCommand(done))
    .addCommand(applyCommand(done))
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

function reserveCommand(done: (ending: Ending) => void): Command {
  return new Command('reserve')
    .description('give a slice CPUs of its own: plan, preview, apply, prove; slicectl undo takes it back')
    .optionsGroup('Which CPUs:')
    .option('--cpus <list>', 'these payload CPUs, such as 2-3,6-7')
    .option('--cores <n>', 'that many whole cores, chosen by the topology')
    .option('--numa-node <node>', 'all on this node')
    .option('--whole-cores', 'refuse CPUs of --cpus that split a core')
    .option('--llc', 'all below one last-level cache')
    .option('--avoid <list>', 'none of these')
    .optionsGroup('For whom:')
    .option('--for <slice>', 'the payload slice, such as db.slice')
    .addOption(new Option('--keep <slice>', 'leave this top-level slice as it is; may be repeated').argParser(collect))
    .option('--kubelet', 'for the pods of this node: the kubelet is told the same sets')
    .option('--drained', 'allow a change of the kubelet: the node is drained')
    .option('--while-unit <unit>', 'release it when this unit ends')
    .option('--runtime', 'until reboot')
    .optionsGroup('How much:')
    .option('--memory-nodes', 'confine the memory of the payload slice to the NUMA nodes of its CPUs')
    .addOption(
      new Option('--partition <type>', 'make the payload slice a partition, whose CPUs leave all other groups').choices(
        ['root', 'isolated'],
      ),
    )
    .option('--irqs', 'keep device interrupts on system CPUs')
    .option('--workqueues', "keep the kernel's unbound workers on system CPUs")
    .option('--kernel-threads', 'keep kernel threads that can be moved on system CPUs')
    .optionsGroup('Options:')
    .option('-n, --dry-run', 'print the plan and do nothing')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print as JSON')
    .action(async (options: ReserveOptions) => {
      const { reserve } = await import('../commands/cpus-reserve.ts');
      done(await reserve(options));
    });
}

function releaseCommand(done: (ending: Ending) => void): Command {
  return new Command('release')
    .description('give the CPUs of a slice back to the system')
    .argument('<slice>', 'the payload slice')
    .option('-n, --dry-run', 'print the plan and do nothing')
    .option('-y, --yes', 'do not ask')
    .option('--ended', 'only if the unit of --while-unit has ended; for the service that waits for that')
    .option('--json', 'print as JSON')
    .action(async (name: string, options: ReleaseOptions) => {
      const { release } = await import('../commands/cpus-release.ts');
      done(await release(name, options));
    });
}

function applyCommand(done: (ending: Ending) => void): Command {
  return new Command('apply')
    .description('bring the host to what its reservations want, for the boot; 3 where that fails')
    .option('-q, --quiet', 'say only what was not done')
    .option(
      '--partitions',
      'only slices that are to be partitions, once no change is at work; for when one starts anew',
    )
    .action(async (options: ApplyOptions) => {
      const { applyAll } = await import('../commands/cpus-apply.ts');
      done(await applyAll(options));
    });
}
