import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../core/errors.ts';
import { type BusEnvironment, type BusKind, busPaths } from '../dbus/address.ts';
import { type Bus, connect } from '../dbus/bus.ts';
import { Connection, type Waiter } from '../dbus/connection.ts';
import { retryable } from '../dbus/errors.ts';
import { Jobs } from '../dbus/jobs.ts';
import { Manager } from '../dbus/systemd1.ts';

/** What one connection offers. */
export interface Session {
  readonly manager: Manager;
  readonly jobs: Jobs;
}

/** Default deadlines, which tests shorten. */
export interface LinkOptions {
  /** How long a call is repeated while the manager re-executes or the bus restarts: both take a few seconds. */
  readonly patienceMs?: number;
  /** How long systemd may take to start a unit. */
  readonly jobTimeoutMs?: number;
  /** How long an answer may take. */
  readonly callTimeoutMs?: number;
}

const PATIENCE_MS = 15_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** The way to one manager, over as many connections as it takes. */
export class SystemdLink {
  readonly kind: BusKind;
  readonly #connection: Connection;
  readonly #options: LinkOptions;
  readonly #sessions = new WeakMap<Bus, Promise<Session>>();
  #wasThere = false;

  constructor(kind: BusKind, environment: BusEnvironment, options: LinkOptions = {}) {
    this.kind = kind;
    this.#options = options;
    const { callTimeoutMs } = options;
    this.#connection = new Connection(() =>
      connect(busPaths(kind, environment), callTimeoutMs === undefined ? {} : { callTimeoutMs }),
    );
  }

  /** For {@link Jobs.run}. */
  get jobDeadline(): { readonly timeoutMs?: number } {
    const { jobTimeoutMs } = this.#options;
    return jobTimeoutMs === undefined ? {} : { timeoutMs: jobTimeoutMs };
  }

  /** The session of the present connection. Rejects with `E_NO_BUS` where nothing answers. */
  async session(): Promise<Session> {
    const bus = await this.#connection.bus();
    this.#wasThere = true;
    let session = this.#sessions.get(bus);
    if (!session) {
      session = Jobs.open(bus).then((jobs) => ({ manager: new Manager(bus), jobs }));
      this.#sessions.set(bus, session);
    }
    return session;
  }

  /**
   * Does work that may be done twice, again after each loss of the bus or the manager until it succeeds or patience ends.
   * A bus that was there once and is absent now restarts.
   */
  async persist<T>(work: (session: Session) => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
    const deadline = Date.now() + Math.min(patienceMs, this.#options.patienceMs ?? PATIENCE_MS);
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await work(await this.session());
      } catch (error) {
        if (!(retryable(error) || (this.#wasThere && isAbsent(error))) || Date.now() + pause > deadline) throw error;
        await sleep(pause);
      }
    }
  }

  /** Announces somebody who waits over losses of the connection; the function given back ends the wait. */
  wait(waiter: Waiter): () => void {
    return this.#connection.wait(waiter);
  }

  close(): void {
    this.#connection.close();
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof SlicectlError && error.code === 'E_NO_BUS';
}

/** Whether systemd could not be reached, as opposed to having refused. */
export function isUnreachable(error: unknown): boolean {
  return retryable(error) || isAbsent(error) || (error instanceof SlicectlError && error.code === 'E_TIMEOUT');
}
