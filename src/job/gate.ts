import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { SlicectlError } from '../core/errors.ts';

/** How a process ended: exactly one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GateOptions {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stdio: readonly [
    'inherit' | 'pipe' | 'ignore' | number,
    'inherit' | 'pipe' | 'ignore' | number,
    'inherit' | 'pipe' | 'ignore' | number,
  ];
  /** The soft limit of open files that the job is to have; Node raises its own to the hard limit at its start. */
  readonly openFiles: number | undefined;
}

/** A command that waits behind its gate. */
export interface Gate {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly exited: Promise<Exit>;
  readonly hasExited: boolean;
  /** Lets the command start, with further variables in its environment. Their values hold no newline. */
  release(env: Readonly<Record<string, string>>): void;
  /** Closes the gate for good: the shell behind it ends and the command never runs. */
  close(): Promise<void>;
}

/**
 * Reads lines `NAME=value` from descriptor 3 and exports them; the empty line opens the gate, and the command takes the
 * shell's place, so it keeps the pid. The end of the file without it (slicectl died) ends the shell.
 */
const SCRIPT = `while IFS= read -r line <&3; do
  if [ -z "$line" ]; then exec 3<&-; exec "$@"; fi
  case $line in
    ulimit:*) ulimit -S -n "\${line#ulimit:}" ;;
    *) export "$line" ;;
  esac
done
exit 125`;

/** Starts the gate's shell. Rejects nothing: a spawn that fails shows as E_GATE from the promise. */
export function startGate(options: GateOptions): Promise<Gate> {
  return new Promise((resolve, reject) => {
    const stdio: StdioOptions = [...options.stdio, 'pipe'];
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'slicectl', ...options.argv], {
      cwd: options.cwd,
      env: options.env,
      stdio,
    });
    child.once('error', (cause) => {
      reject(new SlicectlError('E_GATE', `the gate's shell /bin/sh could not be started: ${cause.message}`, { cause }));
    });
    child.once('spawn', () => resolve(gateOf(child, options.openFiles)));
  });
}

function gateOf(child: ChildProcess, openFiles: number | undefined): Gate {
  const pipe = child.stdio[3] as Writable;
  // The shell may end before it reads; the wait for its exit reports that.
  pipe.on('error', () => undefined);
  let hasExited = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      hasExited = true;
      pipe.destroy();
      resolve({ code, signal });
    });
  });
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    get hasExited() {
      return hasExited;
    },
    release: (env) => {
      const limit = openFiles === undefined ? [] : [`ulimit:${openFiles}`];
      const lines = [...limit, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
      pipe.end(`${lines.map((line) => `${line}\n`).join('')}\n`);
    },
    close: async () => {
      pipe.destroy();
      await exited;
    },
  };
}
