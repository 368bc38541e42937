import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import { badInput } from '../core/errors.ts';
import { tell } from './output.ts';

/**
 * Asks on the terminal whether to go on; only `y` and `yes` are a yes. `E_INPUT` where nobody can be asked and `--yes` was
 * not given.
 */
export async function askToProceed(question: string, options: { readonly yes?: boolean }): Promise<boolean> {
  if (options.yes) return true;
  if (!isatty(0)) throw badInput('there is no terminal to ask on', 'say --yes to go on without a question');
  let isAnswered = false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise((resolve) => {
      terminal.question(`${question} [y/N] `).then(
        (answer) => {
          isAnswered = true;
          resolve(/^y(es)?$/i.test(answer.trim()));
        },
        () => resolve(false),
      );
      terminal.once('close', () => {
        // The cursor still stands behind the question.
        if (!isAnswered) tell('\n');
        resolve(false);
      });
    });
  } finally {
    terminal.close();
  }
}
