import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckResult, CheckTable } from '../../change/plan.ts';
import { HOST } from '../../host/paths.ts';
import { getDocker } from './api.ts';
import { getInfo, type InfoAnswer, saysWhat } from './info.ts';
import { isObject } from './lint.ts';
import { probeContainer } from './probe.ts';

/** How long a check waits; tests shorten it. */
export interface CheckOptions {
  readonly patienceMs?: number;
  readonly pauseMs?: number;
}

/** A daemon with many containers takes its time until it answers, and as long to start them again. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;

export function dockerChecks(options: CheckOptions = {}): CheckTable {
  return {
    'docker-driver': async ({ driver = '', socket = '' }) => {
      const answer = await settle(
        options,
        () => getInfo(socket),
        ({ ok }) => ok,
      );
      const found = answer.ok ? answer.info.driver : undefined;
      return { ok: found === driver, found: saysWhat(socket, answer) };
    },
    'docker-live-restore': async ({ enabled = 'true', socket = '' }) => {
      const isAsked = (answer: InfoAnswer): boolean => answer.ok && String(answer.info.liveRestore) === enabled;
      const answer = await settle(options, () => getInfo(socket), isAsked);
      if (!answer.ok) return { ok: false, found: saysWhat(socket, answer) };
      return { ok: isAsked(answer), found: `live-restore is ${answer.info.liveRestore ? 'on' : 'off'}` };
    },
    'docker-probe': ({ driver = '', socket = '' }) => probeContainer(socket, driver, HOST.proc),
    'docker-containers': ({ running = '', socket = '' }) =>
      containersRun(running.split(' ').filter(Boolean), socket, options),
  };
}

async function containersRun(names: readonly string[], socket: string, options: CheckOptions): Promise<CheckResult> {
  const missingOf = (value: unknown): readonly string[] => {
    const rows = Array.isArray(value) ? value.filter(isObject) : [];
    const there = new Set(
      rows.flatMap(({ Names }) => (Array.isArray(Names) ? Names.map((name) => String(name).slice(1)) : [])),
    );
    return names.filter((name) => !there.has(name));
  };
  const answer = await settle(
    options,
    () => getDocker(socket, '/containers/json'),
    (each) => each.ok && missingOf(each.value).length === 0,
  );
  if (!answer.ok) return { ok: false, found: `Docker on ${socket} ${answer.reason}` };
  const missing = missingOf(answer.value);
  if (missing.length === 0) return { ok: true, found: `${names.length} of ${names.length} containers run` };
  return {
    ok: false,
    found: `${names.length - missing.length} of ${names.length} containers run; not ${missing.join(', ')}`,
  };
}

/** Asks until the answer will do or patience ends, and gives the last one. */
async function settle<T>(
  { patienceMs = PATIENCE_MS, pauseMs = PAUSE_MS }: CheckOptions,
  ask: () => Promise<T>,
  isGood: (answer: T) => boolean,
): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (let pause = pauseMs; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const answer = await ask();
    if (isGood(answer) || Date.now() + pause > deadline) return answer;
    await sleep(pause);
  }
}
