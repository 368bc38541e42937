import { Command, Option } from 'commander';
import type { Ending } from '../commands/run.ts';

interface ChangeOptions {
  dryRun?: boolean;
  yes?: boolean;
  keepChanged?: boolean;
  root?: string;
  json?: boolean;
}

/** What can be done with the lasting changes that slicectl made: `history`, `undo` and `resume`. */
export function changeCommands(done: (ending: Ending) => void): readonly Command[] {
  const history = new Command('history')
    .description('list the lasting changes that slicectl made, or show one of them')
    .argument('[id]', 'the change')
    .action(async (id: string | undefined, options: ChangeOptions) => {
      const { history: act } = await import('../commands/history.ts');
      done(await act(id, options));
    });
  const undo = carrying('undo', 'take a change back: the last one, or the one that was interrupted')
    .option('--keep-changed', 'leave what somebody changed since as it is')
    .action(async (id: string | undefined, options: ChangeOptions) => {
      const { undo: act } = await import('../commands/undo.ts');
      done(await act(id, options));
    });
  const resume = carrying('resume', 'finish a change that was interrupted').action(
    async (id: string | undefined, options: ChangeOptions) => {
      const { resume: act } = await import('../commands/resume.ts');
      done(await act(id, options));
    },
  );
  return [history, undo, resume].map((command) =>
    command
      .addOption(new Option('--root <dir>', 'the changes of the tree below this folder'))
      .option('--json', 'print as JSON'),
  );
}

function carrying(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('[id]', 'the change, as slicectl history names it')
    .option('-n, --dry-run', 'print what would be done and do nothing')
    .option('-y, --yes', 'do not ask');
}
