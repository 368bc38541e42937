import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleRunner, PROMISES, readOutcomes } from '../contract/bundle.ts';
import type { Outcome } from '../contract/scenario.ts';
import { type Machine, machine } from './machine.ts';

const DELEGATED = ['systemd-run', '--scope', '--quiet', '--property=Delegate=cpu cpuset io memory pids'];

type Run = readonly [backend: string, prefix: readonly string[]];
const SYSTEMD: Run = ['systemd', []];

/** Each promise on each systemd, and on plain cgroups of both versions with all controllers. */
const RUNS: readonly [machine: string, runs: readonly Run[]][] = [
  ['systemd-252', [SYSTEMD]],
  ['systemd-257', [SYSTEMD]],
  ['systemd-262', [SYSTEMD]],
  ['v2-257', [SYSTEMD, ['cgroup-v2', DELEGATED]]],
  ['v1-252', [SYSTEMD, ['cgroup-v1', DELEGATED]]],
  ['v2-252', [SYSTEMD]],
  ['v2-262', [SYSTEMD]],
];

const RUNNER = '/tmp/contract.mjs';

describe.each(RUNS)('%s', (name, runs) => {
  let place: Machine | undefined;

  afterAll(() => place?.leave());

  describe.each(runs)('%s', (backend, prefix) => {
    let outcomes: ReadonlyMap<string, Outcome>;
    let stderr = '';

    beforeAll(async () => {
      place = await machine(name);
      await place.push(await bundleRunner(), RUNNER);
      if (name.startsWith('v1-')) await place.exec(['swapoff', '-a']);
      const argv = [...prefix, '/usr/local/bin/node', RUNNER, '--backend', backend];
      const ended = await place.exec(argv, { timeoutMs: 900_000 });
      outcomes = readOutcomes(ended.stdout);
      stderr = ended.stderr;
    });

    it.for(PROMISES)('%s', (promise, context) => {
      const outcome = outcomes.get(promise);
      if (outcome?.state === 'skipped') context.skip(outcome.reason);
      expect(outcome, stderr).toEqual({ name: promise, state: 'passed' });
    });
  });
});
