import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 10_000;
const FIRST_PAUSE_MS = 20;

/**
 * Looks until it is as it should be or patience ends, and gives the last look. Tasks start and end while they are looked
 * at, and the kernel is not done with every task when a write returns.
 */
export async function settled<T>(look: () => Promise<T> | T, isRight: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
    const seen = await look();
    if (isRight(seen) || Date.now() + pause > deadline) return seen;
    await sleep(pause);
  }
}
