import { beforeAll, describe, expect, it } from 'vitest';
import { bundleRunner, PROMISES, readOutcomes } from '../contract/bundle.ts';
import type { Outcome } from '../contract/scenario.ts';
import { machine } from './machine.ts';

const DELEGATED = ['systemd-run', '--scope', '--quiet', '--property=Delegate=cpu cpuset io memory pids'];

/** Each promise on each systemd, and on plain cgroups of both versions with all controllers. */
const RUNS: readonly [machine: string, backend: string, prefix: readonly string[]][] = [
  ['systemd-252', 'systemd', []],
  ['systemd-257', 'systemd', []],
  ['systemd-262', 'systemd', []],
  ['v2-257', 'systemd', []],
  ['v2-257', 'cgroup-v2', DELEGATED],
  ['v1-252', 'systemd', []],
  ['v1-252', 'cgroup-v1', DELEGATED],
  ['v2-252', 'systemd', []],
  ['v2-262', 'systemd', []],
];

const RUNNER = '/tmp/contract.mjs';

describe.each(RUNS)('%s, %s', (name, backend, prefix) => {
  let outcomes: ReadonlyMap<string, Outcome>;
  let stderr = '';

  beforeAll(async () => {
    const place = await machine(name);
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
