import process from 'node:process';
import { HOST } from '../host/paths.ts';
import { inForeground } from '../host/process.ts';

/** Sent by a terminal to the whole foreground group, so to the job as well. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
const FORWARDED: readonly NodeJS.Signals[] = [...FROM_TERMINAL, 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];

/** Passes signals on to the job, as if it had been started directly. */
export interface SignalRelay {
  /** Fires when a signal comes before there is a job. */
  readonly early: AbortSignal;
  /** The signal that ended the launch before there was a job. */
  readonly earlySignal: NodeJS.Signals | undefined;
  /** `sharesTerminal` is false for a process that the terminal itself sends nothing to. */
  to(pid: number, sharesTerminal?: boolean): void;
  stop(): void;
}

/**
 * SIGTSTP and SIGCONT are left alone: slicectl and the job share a process group, so that the shell stops and continues
 * both. SIGINT and SIGQUIT that come while the terminal shows this process group were sent to the job by the terminal
 * itself, and passing them on would double them.
 */
export function relaySignals(): SignalRelay {
  const controller = new AbortController();
  let pid: number | undefined;
  let isOnTerminal = true;
  let earlySignal: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (pid === undefined) {
      earlySignal ??= signal;
      controller.abort(signal);
      return;
    }
    if (isOnTerminal && FROM_TERMINAL.includes(signal) && inForeground(HOST)) return;
    try {
      process.kill(pid, signal);
    } catch {
      // The job has just ended; its result is on the way.
    }
  };
  for (const signal of FORWARDED) process.on(signal, onSignal);
  return {
    early: controller.signal,
    get earlySignal() {
      return earlySignal;
    },
    to: (target, sharesTerminal = true) => {
      pid = target;
      isOnTerminal = sharesTerminal;
    },
    stop: () => {
      for (const signal of FORWARDED) process.off(signal, onSignal);
    },
  };
}
