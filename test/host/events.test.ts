import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { untilControl } from '../../src/host/events.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slicectl-events-'));
  file = join(folder, 'cgroup.events');
  writeFileSync(file, 'populated 1\n');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A condition that counts how often it is looked at, and holds from the given look on. */
function heldFrom(look: number): { isTrue: () => boolean; looks: () => number } {
  let looks = 0;
  return { isTrue: () => ++looks >= look, looks: () => looks };
}

it('what holds already is not waited for', async () => {
  const { isTrue, looks } = heldFrom(1);
  await untilControl(file, isTrue);
  expect(looks()).toBe(1);
});

it('each change that is reported is looked at, at once', async () => {
  let isOver = false;
  // Looks without a report would need minutes for so many.
  const wait = untilControl(file, heldFrom(200).isTrue).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    appendFileSync(file, 'frozen 0\n');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await wait;
});

it('a change that is never reported is found all the same', async () => {
  await untilControl(file, heldFrom(4).isTrue);
});

it('a file that is not there is no end of the wait', async () => {
  await untilControl(join(folder, 'none'), heldFrom(4).isTrue);
});

it('the end of the wait is the end of the looking', async () => {
  const { isTrue, looks } = heldFrom(2);
  await untilControl(file, isTrue);
  appendFileSync(file, 'frozen 0\n');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(looks()).toBe(2);
});

it('the signal ends it with its reason, before and during the wait', async () => {
  await expect(untilControl(file, () => true, AbortSignal.abort('before'))).rejects.toBe('before');
  const controller = new AbortController();
  const wait = untilControl(file, () => false, controller.signal);
  controller.abort('during');
  await expect(wait).rejects.toBe('during');
});

it('an error of the look rejects, at once and later', async () => {
  const broken = (from: number) => {
    const { isTrue } = heldFrom(from);
    return () => {
      if (isTrue()) throw new Error('no right to read');
      return false;
    };
  };
  await expect(untilControl(file, broken(1))).rejects.toThrow('no right to read');
  await expect(untilControl(file, broken(3))).rejects.toThrow('no right to read');
});
