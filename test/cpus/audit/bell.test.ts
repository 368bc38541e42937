import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Bell, GATHER_MS, SLOW_LOOK_MS } from '../../../src/cpus/audit/bell.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A look that took 2 s was before: looking all the time would be a load. */
const COST_MS = 2000;

class Waiting {
  readonly #ending = new AbortController();
  readonly bell = new Bell(this.#ending.signal);
  isOver = false;

  begin(costMs = COST_MS): this {
    this.isOver = false;
    void this.bell.wait(costMs).then(() => {
      this.isOver = true;
    });
    return this;
  }

  end(): void {
    this.#ending.abort();
  }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('the next look', () => {
  it('comes at once with a ring after a long quiet, but for what follows the ring', async () => {
    const waiting = new Waiting().begin();
    await pass(SLOW_LOOK_MS - 1000);
    waiting.bell.ring();
    await pass(GATHER_MS - 1);
    expect(waiting.isOver).toBe(false);
    await pass(1);
    expect(waiting.isOver).toBe(true);
  });

  it('comes without a ring when the slow one is due, however long the last one took', async () => {
    const waiting = new Waiting().begin();
    await pass(SLOW_LOOK_MS - 1);
    expect(waiting.isOver).toBe(false);
    await pass(1);
    expect(waiting.isOver).toBe(true);
  });

  it('comes in proportion to what the last one took where all rings without end', async () => {
    const waiting = new Waiting();
    waiting.bell.ring();
    waiting.begin(1000);
    for (let ms = 0; ms < 4900; ms += 100) {
      await pass(100);
      waiting.bell.ring();
      expect(waiting.isOver).toBe(false);
    }
    await pass(100);
    expect(waiting.isOver).toBe(true);
  });

  it('answers a ring that came during the last one', async () => {
    const waiting = new Waiting();
    waiting.bell.ring();
    waiting.begin(10);
    await pass(GATHER_MS);
    expect(waiting.isOver).toBe(true);
    waiting.begin(10);
    await pass(GATHER_MS);
    expect(waiting.isOver).toBe(false);
  });

  it('does not keep the end of the watch waiting', async () => {
    const waiting = new Waiting().begin();
    waiting.end();
    await pass(0);
    expect(waiting.isOver).toBe(true);
    waiting.bell.ring();
    waiting.begin();
    await pass(0);
    expect(waiting.isOver).toBe(true);
  });
});
