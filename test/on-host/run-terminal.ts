import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
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
    await terminal.shows(/alias [\s\S]*\nready>$/);
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

  /**
   * Waits until this program has the terminal: a shell gives it away some time after it has echoed the line, and a key
   * that comes before that is the shell's.
   */
  async isOf(name: string): Promise<void> {
    let holders = '';
    await until(`the terminal is of ${name}`, () => {
      holders = this.#holders();
      return holders.split('\n').includes(name);
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it is of ${holders}`);
    });
  }

  /** Names of the processes in the foreground group of the terminal, tpgid of proc_pid_stat(5). */
  #holders(): string {
    const shell = tmux('display-message', '-p', '-t', this.#name, '#{pane_pid}').trim();
    const foreground = statOf(shell)[5];
    const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && statOf(pid)[2] === foreground);
    return pids.map((pid) => contentOf(`/proc/${pid}/comm`)).join('');
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

/** The fields of proc_pid_stat(5) from the state on: process group [2], foreground group of the terminal [5]. */
function statOf(pid: string): string[] {
  const stat = contentOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function tmux(...args: string[]): string {
  return execFileSync('tmux', ['-L', SOCKET, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

export function closeTerminals(): void {
  spawnSync('tmux', ['-L', SOCKET, 'kill-server'], { stdio: 'ignore' });
}
