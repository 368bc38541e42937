import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleRunner, PROMISES, readOutcomes } from '../contract/bundle.ts';
import type { Outcome } from '../contract/scenario.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)(`the backend that this machine offers${isRoot ? '' : ' (skipped: not root)'}`, () => {
  let outcomes: ReadonlyMap<string, Outcome>;

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [await bundleRunner()], { timeout: 600_000 });
    outcomes = readOutcomes(stdout);
  }, 600_000);

  it.for(PROMISES)('%s', (promise, context) => {
    const outcome = outcomes.get(promise);
    if (outcome?.state === 'skipped') context.skip(outcome.reason);
    expect(outcome).toEqual({ name: promise, state: 'passed' });
  });
});
