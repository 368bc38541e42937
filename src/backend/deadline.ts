import type { Amount } from '../core/quantity.ts';

/** The longest delay of setTimeout, which takes anything above it for 1 ms. */
const LONGEST = 2 ** 31 - 1;
/** DefaultTimeoutStopSec of systemd-system.conf(5), in microseconds. */
const DEFAULT_STOP = 90_000_000n;

/** Spans in microseconds, as in RuntimeMaxSec and TimeoutStopSec. */
export interface Spans {
  readonly RuntimeMaxSec?: Amount;
  readonly TimeoutStopSec?: Amount;
}

/** Monotonic, in microseconds. */
const now = (): bigint => BigInt(Math.round(performance.now() * 1000));

/** Calls back after `span` microseconds, however long that is, without keeping the process alive; returns the stopper. */
export function callAfter(span: Amount, call: () => void): () => void {
  if (span === 'infinity') return () => undefined;
  let timer: NodeJS.Timeout;
  const wait = (left: bigint) => {
    const step = left > BigInt(LONGEST) ? LONGEST : Number(left);
    timer = setTimeout(() => (left > BigInt(step) ? wait(left - BigInt(step)) : call()), step).unref();
  };
  wait((span + 999n) / 1000n);
  return () => clearTimeout(timer);
}

/**
 * RuntimeMaxSec where no systemd holds it: from the start of the job on, `end('SIGTERM')`, and `end('SIGKILL')` after
 * TimeoutStopSec more, as systemd.scope(5) and systemd.kill(5) have it. It lives as long as this process does.
 */
export class Deadline {
  #spans: Spans;
  readonly #started = now();
  readonly #end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
  #stop: () => void = () => undefined;
  #passed = false;
  #failure: unknown;

  constructor(spans: Spans, end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>) {
    this.#spans = spans;
    this.#end = end;
    this.#arm();
  }

  /** Whether the time ran out. */
  get passed(): boolean {
    return this.#passed;
  }

  /** What went wrong while ending the job, thrown here since a timer has nobody to throw to. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** New spans count from the job's start too. */
  change(spans: Spans): void {
    this.#spans = { ...this.#spans, ...spans };
    if (!this.#passed) this.#arm();
  }

  cancel(): void {
    this.#stop();
  }

  #arm(): void {
    this.#stop();
    const span = this.#spans.RuntimeMaxSec ?? 'infinity';
    const spent = now() - this.#started;
    const left = span === 'infinity' ? span : span > spent ? span - spent : 0n;
    this.#stop = callAfter(left, () => this.#expire());
  }

  #expire(): void {
    this.#passed = true;
    this.#try('SIGTERM');
    this.#stop = callAfter(this.#spans.TimeoutStopSec ?? DEFAULT_STOP, () => this.#try('SIGKILL'));
  }

  #try(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#end(signal).catch((error: unknown) => {
      this.#failure ??= error;
    });
  }
}
