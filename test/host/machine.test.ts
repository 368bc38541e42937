import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readMachine } from '../../src/host/machine.ts';

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'slicectl-machine-'));
  mkdirSync(`${tree}/proc/self`, { recursive: true });
  mkdirSync(`${tree}/cgroup`);
  writeFileSync(`${tree}/proc/meminfo`, 'MemTotal:        1000 kB\nMemFree: 10 kB\n');
  writeFileSync(`${tree}/proc/self/mountinfo`, `30 20 0:26 / ${tree}/cgroup rw - cgroup2 cgroup2 rw\n`);
});

afterEach(() => rmSync(tree, { recursive: true }));

const read = () => readMachine({ proc: `${tree}/proc`, sys: `${tree}/sys`, etc: `${tree}/etc`, run: `${tree}/run` });

it.each([
  ['1000 kB of a machine whose topmost group has no limit', undefined, 1_024_000n],
  ['all of it where the topmost group says max', 'max\n', 1_024_000n],
  ["the container's limit where it has one", '409600\n', 409_600n],
  ['all of it where the limit is above it', '99999999\n', 1_024_000n],
])('memory for percentages is %s', (_, limit, bytes) => {
  if (limit !== undefined) writeFileSync(`${tree}/cgroup/memory.max`, limit);
  expect(read().memory).toBe(bytes);
});

it('the page size is 4096 where the auxiliary vector cannot be read, and the vector counts where it can', () => {
  expect(read().pageSize).toBe(4096n);
  const words = BigUint64Array.of(33n, 7n, 6n, 65_536n, 0n, 0n);
  writeFileSync(`${tree}/proc/self/auxv`, new Uint8Array(words.buffer));
  expect(read().pageSize).toBe(65_536n);
});
