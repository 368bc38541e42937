import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { callAfter, Deadline } from '../../src/backend/deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('callAfter', () => {
  it('waits longer than one timer of Node can', () => {
    const call = vi.fn();
    const month = 31n * 24n * 3600n * 1_000_000n;
    callAfter(month, call);
    vi.advanceTimersByTime(Number(month / 1000n) - 1);
    expect(call).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('never calls for infinity, nor once it was stopped', () => {
    const call = vi.fn();
    callAfter('infinity', call);
    callAfter(1000n, call)();
    vi.advanceTimersByTime(1e9);
    expect(call).not.toHaveBeenCalled();
  });
});

describe('a deadline', () => {
  const end = vi.fn(async () => undefined);
  beforeEach(() => end.mockClear());

  it('tells, waits, and kills', () => {
    const deadline = new Deadline({ RuntimeMaxSec: 1_000_000n, TimeoutStopSec: 500_000n }, end);
    vi.advanceTimersByTime(999);
    expect(deadline.passed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(deadline.passed).toBe(true);
    expect(end.mock.calls).toEqual([['SIGTERM']]);
    vi.advanceTimersByTime(500);
    expect(end.mock.calls).toEqual([['SIGTERM'], ['SIGKILL']]);
  });

  it('gives 90 s between the two, for ever with infinity', () => {
    new Deadline({ RuntimeMaxSec: 1000n }, end);
    vi.advanceTimersByTime(90_000);
    expect(end).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(2);
    expect(end).toHaveBeenCalledTimes(2);
    new Deadline({ RuntimeMaxSec: 1000n, TimeoutStopSec: 'infinity' }, end);
    vi.advanceTimersByTime(1e9);
    expect(end).toHaveBeenCalledTimes(3);
  });

  it('counts a changed span from the start of the job', () => {
    const deadline = new Deadline({ RuntimeMaxSec: 'infinity' }, end);
    vi.advanceTimersByTime(3000);
    deadline.change({ RuntimeMaxSec: 5_000_000n });
    vi.advanceTimersByTime(1999);
    expect(deadline.passed).toBe(false);
    vi.advanceTimersByTime(2);
    expect(deadline.passed).toBe(true);
  });

  it('tells a failure to whoever asks', async () => {
    const deadline = new Deadline({ RuntimeMaxSec: 1n }, () => Promise.reject(new Error('no')));
    await vi.advanceTimersByTimeAsync(1);
    expect(() => deadline.check()).toThrow('no');
    deadline.cancel();
  });
});
