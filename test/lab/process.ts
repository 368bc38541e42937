import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CaptureOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** What a message calls the program; its arguments unless told. */
  readonly label?: string;
}

/** The status as a shell would give it: 128+N for a death by signal N. */
export const shellStatus = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal]);

/**
 * Runs a program to its end, in a process group of its own so that a timeout ends all of it.
 * Rejects when the program cannot be started or outlives `timeoutMs`; any exit status resolves.
 */
export function capture(argv: readonly string[], options: CaptureOptions = {}): Promise<Outcome> {
  const [file = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { env: options.env, cwd: options.cwd, detached: true, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const timers: NodeJS.Timeout[] = [];
    if (options.timeoutMs !== undefined) {
      timers.push(
        setTimeout(() => {
          late = true;
          signalGroup(child, 'SIGTERM');
          timers.push(setTimeout(() => signalGroup(child, 'SIGKILL'), 3000));
        }, options.timeoutMs),
      );
    }
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A program that never reads its input closes the pipe early; that is not an error of ours.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const timer of timers) clearTimeout(timer);
      const outcome = { code: shellStatus(code, signal), stdout: text(stdout), stderr: text(stderr) };
      if (!late) return resolve(outcome);
      const said = [outcome.stdout, outcome.stderr].filter(Boolean).join('\n');
      reject(
        new Error(
          `lab: not done after ${options.timeoutMs} ms: ${options.label ?? argv.join(' ').slice(0, 500)}\n${said}`,
        ),
      );
    });
  });
}

/** As `capture`, but a status other than 0 rejects with what the program said. */
export async function run(argv: readonly string[], options: CaptureOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await capture(argv, options);
  if (code !== 0) throw new Error(`lab: status ${code} from ${argv.join(' ').slice(0, 500)}\n${stdout}${stderr}`);
  return stdout;
}

/** One word for a POSIX shell, whatever it holds. */
export const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** A process by pid and start time (field 22 of /proc/PID/stat), so that a reused pid is not taken for it. */
export interface ProcessId {
  readonly pid: number;
  readonly start: string;
}

export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, start: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

export const isAlive = (id: ProcessId): boolean => identify(id.pid)?.start === id.start;

export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** True when the process is gone before the time is up. */
export async function untilGone(id: ProcessId, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (isAlive(id)) {
    if (Date.now() > end) return false;
    await sleep(50);
  }
  return true;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // Gone already.
  }
}

const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString('utf8');
