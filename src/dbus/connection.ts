import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../core/errors.ts';
import type { Bus } from './types.ts';

export interface ConnectionOptions {
  /** How long to try again after a loss before the waiters are told. Default 60 s: a restart of the bus takes seconds. */
  readonly giveUpAfterMs?: number;
  /** The first pause, doubled up to 5 s. Default 100 ms. */
  readonly firstPauseMs?: number;
  /** Gets what a waiter's function throws; without it that is dropped. */
  readonly onHandlerError?: (error: unknown) => void;
}

/** Somebody who waits over the life of several connections, for example for a unit's end. */
export interface Waiter {
  /** A new connection is there: subscribe again and read the state again, signals in between are lost. */
  readonly onReconnected: (bus: Bus) => void;
  /** No connection could be had within `giveUpAfterMs`. */
  readonly onGivenUp: (reason: SlicectlError) => void;
}

const GIVE_UP_AFTER_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/**
 * A bus for as long as it is needed: a lost one is replaced, at once while somebody waits, else when it is next asked
 * for. While somebody waits it keeps the process alive.
 */
export class Connection {
  readonly #dial: () => Promise<Bus>;
  readonly #giveUpAfterMs: number;
  readonly #firstPauseMs: number;
  readonly #onHandlerError: (error: unknown) => void;
  readonly #waiters = new Set<Waiter>();
  readonly #stop = new AbortController();
  #current: Promise<Bus> | undefined;
  #open: Bus | undefined;
  #release: (() => void) | undefined;
  #isLost = false;

  /** `dial` makes one attempt: usually `connect` with its paths. */
  constructor(dial: () => Promise<Bus>, options: ConnectionOptions = {}) {
    this.#dial = dial;
    this.#giveUpAfterMs = options.giveUpAfterMs ?? GIVE_UP_AFTER_MS;
    this.#firstPauseMs = options.firstPauseMs ?? FIRST_PAUSE_MS;
    this.#onHandlerError = options.onHandlerError ?? (() => undefined);
  }

  /**
   * The present connection, or a first or new one; while a lost one is being replaced this waits for that. Rejects with
   * what `dial` rejects with, and with `E_BUS_LOST` after `close()`.
   */
  bus(): Promise<Bus> {
    if (this.#stop.signal.aborted) return Promise.reject(closed());
    return this.#current ?? this.#adopt(this.#dial());
  }

  /** Announces a waiter, who also hears of a loss just before; the function given back ends its wait. */
  wait(waiter: Waiter): () => void {
    this.#waiters.add(waiter);
    this.#keepAlive();
    if (this.#isLost) this.#replace();
    return () => {
      this.#waiters.delete(waiter);
      this.#keepAlive();
    };
  }

  close(): void {
    this.#stop.abort();
    this.#waiters.clear();
    this.#keepAlive();
    this.#open?.close();
  }

  #adopt(attempt: Promise<Bus>): Promise<Bus> {
    const current = attempt.then(
      (bus) => {
        if (this.#stop.signal.aborted) {
          bus.close();
          throw closed();
        }
        this.#open = bus;
        this.#keepAlive();
        bus.onClosed(() => this.#lost());
        return bus;
      },
      (error: unknown) => {
        throw this.#stop.signal.aborted ? closed() : error;
      },
    );
    this.#isLost = false;
    this.#current = current;
    current.catch(() => {
      if (this.#current === current) this.#current = undefined;
    });
    return current;
  }

  #lost(): void {
    this.#current = undefined;
    this.#open = undefined;
    this.#release = undefined;
    this.#isLost = true;
    if (this.#waiters.size > 0) this.#replace();
  }

  #replace(): void {
    if (this.#stop.signal.aborted) return;
    this.#adopt(this.#persist()).then(
      (bus) => this.#tell((waiter) => waiter.onReconnected(bus)),
      (error: unknown) => {
        if (this.#stop.signal.aborted) return;
        const reason = givenUp(this.#giveUpAfterMs, error);
        this.#tell((waiter) => waiter.onGivenUp(reason));
      },
    );
  }

  #tell(how: (waiter: Waiter) => void): void {
    for (const waiter of [...this.#waiters]) {
      try {
        how(waiter);
      } catch (error) {
        this.#onHandlerError(error);
      }
    }
  }

  async #persist(): Promise<Bus> {
    const deadline = Date.now() + this.#giveUpAfterMs;
    for (let pause = this.#firstPauseMs; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      await sleep(pause, undefined, { signal: this.#stop.signal });
      try {
        return await this.#dial();
      } catch (error) {
        if (Date.now() + pause > deadline) throw error;
      }
    }
  }

  #keepAlive(): void {
    if (this.#waiters.size > 0) this.#release ??= this.#open?.hold();
    else {
      this.#release?.();
      this.#release = undefined;
    }
  }
}

function closed(): SlicectlError {
  return new SlicectlError('E_BUS_LOST', 'the bus connection was closed by this program');
}

function givenUp(afterMs: number, cause: unknown): SlicectlError {
  return new SlicectlError(
    'E_BUS_LOST',
    `the bus connection was lost and did not come back within ${afterMs / 1000} s`,
    {
      cause,
    },
  );
}
