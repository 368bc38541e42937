/** Masks of tasks change without a word; they are looked at this often. */
export const SLOW_LOOK_MS = 15_000;
/** A reload and what follows it come as one. */
export const GATHER_MS = 300;
/** Looking takes no more than this part of the time, however often something happens. */
const LOOK_SHARE = 5;

/** Says when to look again; what rings while a look goes on is kept for the next one. */
export class Bell {
  readonly #signal: AbortSignal;
  #hasRung = false;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /**
   * Waits for a ring and what follows it, for the slow look at most, and not beyond its signal. After a look that took
   * `costMs` the next one is due in proportion; the quiet until a ring is part of that rest.
   */
  async wait(costMs: number): Promise<void> {
    const begin = performance.now();
    if (!this.#hasRung) await this.#pause(SLOW_LOOK_MS);
    const quietMs = performance.now() - begin;
    if (this.#hasRung) {
      const restMs = Math.min(costMs * LOOK_SHARE, SLOW_LOOK_MS) - quietMs;
      await this.#gather(performance.now() + Math.max(GATHER_MS, restMs));
    }
    this.#hasRung = false;
  }

  async #gather(end: number): Promise<void> {
    for (let left = end - performance.now(); left > 0 && !this.#signal.aborted; left = end - performance.now()) {
      await this.#pause(left);
    }
  }

  /** Ends early with a ring, or its signal. */
  async #pause(ms: number): Promise<void> {
    if (this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
