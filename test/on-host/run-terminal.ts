import { execFileSync, spawnSync } from 'node:child_process';
import process from 'node:process';
import { contentOf, MAIN, until } from './run-support.ts';

const SOCKET = `slicectl-test-${process.pid}`;

export const NO_TERMINAL = spawnSync('tmux', ['-V']).status === 0 ? undefined : 'tmux is not installed';

/** An interactive bash in a terminal of 100 by 40. */
export class Terminal implements AsyncDisposable {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  static async open(name: string): Promise<Terminal> {
    const shell = 'env -u PROMPT_COMMAND PS1="ready> " bash --norc --noprofile -i';
    tmux('-f', '/dev/null', 'new-session', '-d', '-s', name, '-x', '100', '-y', '40', shell);
    const terminal = new Terminal(name);
    await terminal.shows(/ready>$/);
    terminal.line(`alias slicectl='${process.execPath} ${MAIN}'`);
    return terminal;
  }

  /** Presses keys by tmux's names: `C-c`, `Enter`. */
  press(...keys: string[]): void {
    tmux('send-keys', '-t', this.#name, ...keys);
  }

  /** Types a line and Enter. */
  line(text: string): void {
    tmux('send-keys', '-t', this.#name, '-l', text);
    this.press('Enter');
  }

  /** Waits until the screen, without blanks at its end, matches. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    let screen = '';
    try {
      return await until(`the terminal shows ${pattern}`, () => {
        screen = tmux('capture-pane', '-p', '-J', '-t', this.#name).trimEnd();
        return pattern.exec(screen) ?? undefined;
      });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; it shows:\n${screen}`);
    }
  }

  /** Waits until the process whose pid the job has written is in this state of proc_pid_stat(5). */
  async isInState(pidFile: string, state: string): Promise<void> {
    await until(`the job is in state ${state}`, () =>
      contentOf(`/proc/${contentOf(pidFile).trim() || 'none'}/stat`).includes(`) ${state} `),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    tmux('kill-session', '-t', this.#name);
  }
}

function tmux(...args: string[]): string {
  return execFileSync('tmux', ['-L', SOCKET, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

export function closeTerminals(): void {
  spawnSync('tmux', ['-L', SOCKET, 'kill-server'], { stdio: 'ignore' });
}
