import type { Finding, RuntimeStatus } from '../model.ts';
import type { DockerFacts } from './facts.ts';

export function statusOf(facts: DockerFacts): RuntimeStatus {
  const { daemon, next, run, start } = facts;
  return {
    runtime: 'docker',
    instance: daemon.instance,
    version: start.version ?? run.info?.version,
    unit: daemon.unit,
    ...(daemon.user && { user: daemon.user.name }),
    running: run.observed,
    configured: next.configured,
    findings: [...next.findings, ...run.findings, ...pending(facts), ...upgraded(facts)],
  };
}

function pending({ next, run }: DockerFacts): readonly Finding[] {
  const { driver, source } = next.configured;
  if (run.observed === undefined || driver === undefined || run.observed.driver === driver) return [];
  return [
    {
      severity: 'warning',
      code: 'docker-driver-pending',
      message: `it runs with ${run.observed.driver}, and its next start will be with ${driver} (${source.text})`,
      hint: 'restart it at a time that suits, or take the change back',
      ...(source.path !== undefined && { path: source.path }),
      ...(source.line !== undefined && { line: source.line }),
    },
  ];
}

/** A daemon that was upgraded and still runs as it was. */
function upgraded({ start, run }: DockerFacts): readonly Finding[] {
  const running = run.info?.version;
  if (running === undefined || start.version === undefined || sameVersion(running, start.version)) return [];
  return [
    {
      severity: 'info',
      code: 'docker-upgraded',
      message: `version ${running} runs, and ${start.version} will start next`,
    },
  ];
}

/** As far as both are told: packages add `+dfsg1`, and an assumed version can be short. */
function sameVersion(a: string, b: string): boolean {
  const numbers = (text: string): string[] => (/^v?([\d.]*\d)/.exec(text)?.[1] ?? text).split('.');
  const [one, other] = [numbers(a), numbers(b)];
  return one.every((number, at) => other[at] === undefined || other[at] === number);
}
