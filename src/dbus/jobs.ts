import { quote, SlicectlError } from '../core/errors.ts';
import { MANAGER_INTERFACE, MANAGER_PATH, SYSTEMD } from './systemd1.ts';
import type { Bus, Signal } from './types.ts';

/** What systemd's words for the end of a job mean (JobRemoved's last argument). Newer systemd may have more. */
export const JOB_RESULTS: Readonly<Record<string, string>> = {
  done: 'the job was carried out',
  canceled: 'another job took its place',
  timeout: 'its time limit ran out',
  failed: 'the unit failed',
  dependency: 'a unit that it needs failed',
  skipped: 'a condition of the unit did not hold',
  invalid: 'the unit cannot do this',
  assert: 'an assertion of the unit did not hold',
  unsupported: 'this system does not support the unit',
  collected: 'nothing needed the unit any more',
  once: 'the unit was started before and is to start once only',
  frozen: 'the unit is frozen',
  concurrency: 'its slice holds as many units as it may',
};

export interface JobResult {
  /** The job's object path. */
  readonly job: string;
  /** The unit's main name, which is another than the asked one for an alias. */
  readonly unit: string;
  /** A key of `JOB_RESULTS`, or a newer word. */
  readonly result: string;
}

export interface JobOptions {
  /** For errors. */
  readonly unit: string;
  /** From the call to the job's end. Default 30 s, as in runc. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_UNCLAIMED = 4096;

/**
 * The jobs of one connection. The reply to StartTransientUnit and JobRemoved come in either order, so results that
 * nobody has asked for yet are kept while a start is under way.
 *
 * Manager.Subscribe is not called: a job reports to the client that asked for it without (systemd, `job_send_removed`
 * and `bus_job_track_sender`), and each subscribed client makes PID 1 send all signals of all units. Seen to hold on 252,
 * 257 and 262 with no subscriber at all (logind, which is one, stopped), across daemon-reload and daemon-reexec.
 */
export class Jobs {
  readonly #waiters = new Map<string, (result: JobResult) => void>();
  readonly #unclaimed = new Map<string, JobResult>();
  readonly #bus: Bus;
  #starting = 0;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Resolves when JobRemoved is listened for. One is enough for a connection; it ends with the connection. */
  static async open(bus: Bus): Promise<Jobs> {
    const jobs = new Jobs(bus);
    const rule = { sender: SYSTEMD, path: MANAGER_PATH, interface: MANAGER_INTERFACE, member: 'JobRemoved' };
    await bus.subscribe(rule, (signal) => jobs.#onJobRemoved(signal));
    return jobs;
  }

  /**
   * Queues a job by `start`, which gives its path, and resolves when it has ended, well or not: see `jobFailure`.
   * Rejects with `E_TIMEOUT`, `E_BUS_LOST`, or what `start` rejects with. After the first two the job may have run.
   */
  run(start: () => Promise<string>, options: JobOptions): Promise<JobResult> {
    const { unit, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    return new Promise((resolve, reject) => {
      let job: string | undefined;
      let isOver = false;
      const end = (how: () => void): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        stopListening();
        if (job !== undefined) this.#waiters.delete(job);
        how();
      };
      const timer = setTimeout(() => end(() => reject(noResult(unit, timeoutMs, job))), timeoutMs);
      const stopListening = this.#bus.onClosed((reason) => end(() => reject(lostDuring(unit, reason))));
      this.#starting += 1;
      asPromise(start).then(
        (path) => {
          const known = this.#claim(path);
          if (isOver) return;
          job = path;
          if (known !== undefined) end(() => resolve(known));
          else this.#waiters.set(path, (result) => end(() => resolve(result)));
        },
        (error: unknown) => {
          this.#claim(undefined);
          end(() => reject(error));
        },
      );
    });
  }

  // Ends a start and takes its result in one step: in between, another start's end would drop what is unclaimed.
  #claim(job: string | undefined): JobResult | undefined {
    this.#starting -= 1;
    const result = job === undefined ? undefined : this.#unclaimed.get(job);
    if (job !== undefined) this.#unclaimed.delete(job);
    if (this.#starting === 0) this.#unclaimed.clear();
    return result;
  }

  #onJobRemoved(signal: Signal): void {
    const [, job, unit, result] = signal.body;
    if (typeof job !== 'string' || typeof unit !== 'string' || typeof result !== 'string') return;
    const waiter = this.#waiters.get(job);
    if (waiter !== undefined) waiter({ job, unit, result });
    else if (this.#starting > 0) this.#keep({ job, unit, result });
  }

  // Where another client has subscribed, the results of all jobs of the host come by: the oldest go first.
  #keep(result: JobResult): void {
    this.#unclaimed.set(result.job, result);
    if (this.#unclaimed.size <= MAX_UNCLAIMED) return;
    for (const oldest of this.#unclaimed.keys()) {
      this.#unclaimed.delete(oldest);
      break;
    }
  }
}

/** The error for a job that did not end with `done`, or undefined for one that did. */
export function jobFailure({ job, unit, result }: JobResult): SlicectlError | undefined {
  if (result === 'done') return undefined;
  const meaning = JOB_RESULTS[result] ?? 'a word that this version does not know';
  return new SlicectlError('E_JOB_FAILED', `the job of ${quote(unit)} ended with ${quote(result)}: ${meaning}`, {
    hint: `systemctl status ${unit} and journalctl -u ${unit} may tell more`,
    data: { job, unit, result },
  });
}

async function asPromise(start: () => Promise<string>): Promise<string> {
  return start();
}

function noResult(unit: string, timeoutMs: number, job: string | undefined): SlicectlError {
  const what = job === undefined ? 'did not answer the request for' : 'did not report the end of the job of';
  return new SlicectlError('E_TIMEOUT', `systemd ${what} ${quote(unit)} within ${timeoutMs / 1000} s`, {
    hint: `see systemctl list-jobs and systemctl status ${unit}`,
    data: { unit, timeoutMs, ...(job !== undefined && { job }) },
  });
}

function lostDuring(unit: string, reason: SlicectlError): SlicectlError {
  return new SlicectlError(
    'E_BUS_LOST',
    `the bus connection was gone before the job of ${quote(unit)} had ended: ${reason.message}`,
    {
      hint: 'the job may have been carried out all the same',
      data: { unit },
      cause: reason,
    },
  );
}
