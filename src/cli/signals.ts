import process from 'node:process';
import { HOST } from '../host/paths.ts';
import { inForeground, isStopped, processGroup } from '../host/process.ts';
import { Witness } from './witness.ts';

const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];

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
 * What comes to slicectl alone is passed on; what comes to the whole process group has reached the job already. The
 * terminal's stop and continue signals reach both, so that the shell stops and continues both. `ignored` signals do not
 * end slicectl either.
 */
export function relaySignals(ignored: readonly NodeJS.Signals[] = []): SignalRelay {
  const controller = new AbortController();
  let job: SharedJob | RemoteJob | undefined;
  let earlySignal: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (job) {
      job.pass(signal);
    } else if (!ignored.includes(signal)) {
      earlySignal ??= signal;
      controller.abort(signal);
    }
  };
  for (const signal of FORWARDED) process.on(signal, onSignal);
  return {
    early: controller.signal,
    get earlySignal() {
      return earlySignal;
    },
    to: (pid, sharesTerminal = true) => {
      job = sharesTerminal ? new SharedJob(pid) : new RemoteJob(pid);
    },
    stop: () => {
      for (const signal of FORWARDED) process.off(signal, onSignal);
      job?.stop();
    },
  };
}

/** A job that somebody else started. */
class RemoteJob {
  readonly #pid: number;

  constructor(pid: number) {
    this.#pid = pid;
  }

  pass(signal: NodeJS.Signals): void {
    send(this.#pid, signal);
  }

  stop(): void {}
}

/** A child of slicectl, in its process group until it chooses another. */
class SharedJob {
  readonly #pid: number;
  readonly #witness: Witness;
  readonly #onChild = (): void => this.#stopWithJob();
  readonly #onContinue = (): void => {
    if (isStopped(HOST, this.#pid)) send(this.#pid, 'SIGCONT');
  };

  constructor(pid: number) {
    this.#pid = pid;
    process.on('SIGCHLD', this.#onChild);
    process.on('SIGCONT', this.#onContinue);
    this.#witness = new Witness();
    // It has been running for a moment.
    this.#stopWithJob();
  }

  pass(signal: NodeJS.Signals): void {
    void this.#wentToJob(signal).then((wentToJob) => {
      if (!wentToJob) send(this.#pid, signal);
    });
  }

  async #wentToJob(signal: NodeJS.Signals): Promise<boolean> {
    if (processGroup(HOST, this.#pid) !== processGroup(HOST, 'self')) return false;
    return signal === 'SIGQUIT' ? inForeground(HOST) : this.#witness.sawIt();
  }

  /** A job that stops itself (`suspend` of a shell, `~^Z` of ssh) means the shell that waits for slicectl to go on. */
  #stopWithJob(): void {
    if (!isStopped(HOST, this.#pid)) return;
    if (inForeground(HOST) || inForeground(HOST, this.#pid)) process.kill(process.pid, 'SIGTSTP');
  }

  stop(): void {
    process.off('SIGCHLD', this.#onChild);
    process.off('SIGCONT', this.#onContinue);
    this.#witness.stop();
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The job has just ended; its result is on the way.
  }
}
