import { setTimeout as sleep } from 'node:timers/promises';
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

/** How long a call is repeated while the manager re-executes or the bus restarts: both take a few seconds. */
const PATIENCE_MS = 15_000;
const FIRST_PAUSE_MS = 50;

/** The way to one manager, over as many connections as it takes. */
export class SystemdLink {
  readonly kind: BusKind;
  readonly #connection: Connection;
  readonly #sessions = new WeakMap<Bus, Promise<Session>>();

  constructor(kind: BusKind, environment: BusEnvironment) {
    this.kind = kind;
    this.#connection = new Connection(() => connect(busPaths(kind, environment)));
  }

  /** The session of the present connection. Rejects with `E_NO_BUS` where nothing answers. */
  async session(): Promise<Session> {
    const bus = await this.#connection.bus();
    let session = this.#sessions.get(bus);
    if (!session) {
      session = Jobs.open(bus).then((jobs) => ({ manager: new Manager(bus), jobs }));
      this.#sessions.set(bus, session);
    }
    return session;
  }

  /**
   * Does work that may be done twice, again after each loss of the bus or the manager until it succeeds or patience ends.
   * `onRetry` runs before each further attempt.
   */
  async persist<T>(work: (session: Session) => Promise<T>, onRetry?: () => void): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS;
    for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
      try {
        return await work(await this.session());
      } catch (error) {
        if (!retryable(error) || Date.now() + pause > deadline) throw error;
        onRetry?.();
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
