import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Launcher } from '../../job/launcher.ts';

/** A command that runs somewhere, with its three pipes. */
export interface Running {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Its exit status; null for one that a signal ended. */
  readonly ended: Promise<number | null>;
}

/** Starts commands where slicectl is, and in slices by slicectl's own launch, since others may not run there. */
export class Places {
  readonly #env: NodeJS.ProcessEnv;
  readonly #signal: AbortSignal | undefined;
  #launcher: Promise<Launcher> | undefined;

  constructor(env: NodeJS.ProcessEnv, signal: AbortSignal | undefined) {
    this.#env = env;
    this.#signal = signal;
  }

  /** Rejects as a launch does. */
  async start(slice: string | undefined, [command = '', ...args]: readonly string[]): Promise<Running> {
    if (slice === undefined) return this.#startHere(command, args);
    this.#launcher ??= Launcher.open();
    const launcher = await this.#launcher;
    const job = await launcher.launch(command, args, {
      slice,
      env: this.#env,
      stdio: ['pipe', 'pipe', 'pipe'],
      leftover: 'kill',
      ...(this.#signal && { signal: this.#signal }),
    });
    const { stdin, stdout, stderr } = job;
    if (!stdin || !stdout || !stderr) throw new Error('a job with pipes has streams');
    stdin.on('error', () => undefined);
    return { stdin, stdout, stderr, ended: job.result.then(({ exit }) => exit.code) };
  }

  async #startHere(command: string, args: readonly string[]): Promise<Running> {
    const child = spawn(command, args, {
      env: this.#env,
      stdio: 'pipe',
      ...(this.#signal && { signal: this.#signal }),
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await once(child, 'spawn');
    // An abort, which shows in the exit; and a write to one that has ended.
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended };
  }

  async close(): Promise<void> {
    (await this.#launcher)?.close();
  }
}

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for the end of a command that is told nothing. */
export async function outputOf({ stdin, stdout, stderr, ended }: Running): Promise<Output> {
  stdin.end();
  const [out, errors, code] = await Promise.all([text(stdout), text(stderr), ended]);
  return { code, stdout: out, stderr: errors };
}

/** The lines of a stream, one at a time; undefined behind the last. */
export function lineReader(stream: Readable): () => Promise<string | undefined> {
  const lines = createInterface({ input: stream })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    return done ? undefined : value;
  };
}
