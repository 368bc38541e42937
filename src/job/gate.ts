import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { SlicectlError } from '../core/errors.ts';
import { gateScript, releaseText, startingEnv } from './gate-script.ts';

/** What becomes of one descriptor of the job, as in node:child_process; `ignore` from 3 on leaves it closed. */
export type Descriptor = 'inherit' | 'pipe' | 'ignore' | number;

/** How a process ended: exactly one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An exit with how long the process ran, where somebody else measured it. */
export interface MeasuredExit extends Exit {
  readonly ranUsec?: bigint;
}

export interface GateOptions {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** By descriptor number: the three standard ones, and any further ones that the job is to have. */
  readonly stdio: readonly [Descriptor, Descriptor, Descriptor, ...Descriptor[]];
  /** The soft limit of open files that the job is to have; Node raises its own to the hard limit at its start. */
  readonly openFiles: number | undefined;
  /** Signals that the job is to ignore from its start; Node starts its children with none. */
  readonly ignoredSignals: readonly NodeJS.Signals[];
}

/** A command that waits behind its gate. */
export interface Gate {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly exited: Promise<MeasuredExit>;
  readonly hasExited: boolean;
  /** Lets the command start, with further variables in its environment. Their values hold no newline. */
  release(env: Readonly<Record<string, string>>): void;
  /** Closes the gate for good: the shell behind it ends and the command never runs. */
  close(): Promise<void>;
}

/** Shells take only one digit in front of a redirection, so the gate's own descriptor is below 10. */
const GATE_DESCRIPTORS = [3, 4, 5, 6, 7, 8, 9];

/** Starts the gate's shell. Rejects nothing: a spawn that fails shows as E_GATE from the promise. */
export function startGate(options: GateOptions): Promise<Gate> {
  return new Promise((resolve, reject) => {
    // With 3 to 9 all taken, the job does without its 9.
    const own = GATE_DESCRIPTORS.find((fd) => (options.stdio[fd] ?? 'ignore') === 'ignore') ?? 9;
    const stdio: Descriptor[] = [...options.stdio];
    while (stdio.length < own) stdio.push('ignore');
    stdio[own] = 'pipe';
    const child = spawn('/bin/sh', ['-c', gateScript(own), 'slicectl', ...options.argv], {
      cwd: options.cwd,
      env: startingEnv(options.env),
      stdio,
    });
    child.once('error', (cause) => {
      reject(new SlicectlError('E_GATE', `the gate's shell /bin/sh could not be started: ${cause.message}`, { cause }));
    });
    child.once('spawn', () => resolve(gateOf(child, own, options)));
  });
}

function gateOf(child: ChildProcess, own: number, options: GateOptions): Gate {
  const pipe = (child.stdio as readonly (Writable | null)[])[own] as Writable;
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
      pipe.end(releaseText(options, env));
    },
    close: async () => {
      pipe.destroy();
      await exited;
    },
  };
}
