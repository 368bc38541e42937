/**
 * A process of its own that makes groups, for tests that kill the maker or run it as another user: reads a ground and
 * requests as JSON from argv, places a shell for each, says what it sees, and waits.
 */
import { once } from 'node:events';
import { cgroupBackend } from '../../src/backend/cgroup.ts';
import { errnoOf, SlicectlError } from '../../src/core/errors.ts';
import type { LimitsInput } from '../../src/core/limits.ts';
import { readLayout } from '../../src/host/cgroups.ts';
import { HOST } from '../../src/host/paths.ts';
import { request, start } from './cgroup-ground.ts';

interface Order {
  readonly version: 1 | 2;
  readonly base: string;
  readonly jobs: readonly { unit?: string; slice?: string; limits: LimitsInput; script: string }[];
  /** Whether the jobs are to be removed before the process ends, or left as they are. */
  readonly tidy: boolean;
  /** Whether it sweeps after each job. */
  readonly sweeps?: boolean;
}

const order = JSON.parse(process.argv[2] ?? '') as Order;
const here = readLayout(HOST);
const backend = cgroupBackend({
  paths: HOST,
  uid: process.getuid?.() ?? -1,
  layout: order.version === 2 ? { mode: 'unified', v2: here.v2, v1: new Map() } : here,
  membership: {
    v2: order.base,
    v1: new Map([...here.v1.keys()].map((controller) => [controller, order.base] as const)),
  },
});

// Until then the test may move this process into the ground.
await once(process.stdin, 'data');

async function run({ unit, slice, limits, script }: Order['jobs'][number]) {
  const { group, exited } = await start(backend, request(limits, { unit, slice }), script);
  const { out } = await exited;
  return { unit: group.unit, out, removed: order.tidy ? await group.remove() : undefined };
}

try {
  const results = [];
  for (const job of order.jobs) {
    results.push(await run(job));
    if (order.sweeps) await backend.sweep();
  }
  const [units, outs] = [results.map(({ unit }) => unit), results.map(({ out }) => out)];
  const removed = order.tidy ? results.map((result) => result.removed) : [];
  console.log(JSON.stringify({ uid: process.getuid?.(), units, outs, removed }));
} catch (error) {
  const code = error instanceof SlicectlError ? error.code : errnoOf(error);
  console.log(JSON.stringify({ error: String(error), code }));
}
if (order.tidy) process.stdin.destroy();
