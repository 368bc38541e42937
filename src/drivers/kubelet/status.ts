import { isAtLeast } from '../../core/program-version.ts';
import type { Configured, Finding, RuntimeStatus, Source } from '../model.ts';
import type { KubeletFacts } from './facts.ts';
import { runtimeBehind } from './follow.ts';
import { lint, ownDriver, wrongValue } from './lint.ts';
import { placesOf, type Setting, textOf } from './settings.ts';

export function statusOf(facts: KubeletFacts): RuntimeStatus {
  const { command, version, run, followed } = facts;
  return {
    runtime: 'kubelet',
    instance: '',
    version,
    unit: command.unit,
    running: run?.observed,
    configured: configuredOf(facts),
    findings: findingsOf(facts),
    ...(followed && { follows: followed.runtime }),
    ...asked(facts),
  };
}

/** Until 1.23 a kubelet that was told no endpoint asked Docker by itself (dockershim). */
function asked({ settings, version, socket }: KubeletFacts): Pick<RuntimeStatus, 'asks'> {
  const isTold = textOf(settings, 'containerRuntimeEndpoint') !== undefined;
  if (!isTold && version !== undefined && !isAtLeast(version, '1.24')) return { asks: 'docker' };
  return socket === undefined ? {} : { asks: runtimeBehind(socket) };
}

/** Why the kubelet would not start, by what is known of its files. */
export function faultsOf(facts: KubeletFacts): readonly Finding[] {
  const all = [...facts.settings.findings, ...facts.command.problems, ...lint(facts)];
  return all.filter(({ severity }) => severity === 'error');
}

export function configuredOf(facts: KubeletFacts): Configured {
  const { settings, followed } = facts;
  const places = placesOf(settings, 'cgroupDriver');
  const [first, ...rest] = places;
  const willStart = faultsOf(facts).length === 0 && !settings.notJoined;
  if (followed !== undefined) {
    const source: Source = { kind: 'runtime', text: followed.text };
    return { driver: willStart ? followed.driver : undefined, source, shadowed: places.map(shadowOf) };
  }
  return {
    driver: willStart ? ownDriver(facts) : undefined,
    source: first?.source ?? { kind: 'default', text: "the kubelet's default, cgroupfs" },
    shadowed: rest.map(shadowOf),
  };
}

function shadowOf({ source, value }: Setting): Source & { readonly value: string } {
  return { ...source, value: typeof value === 'string' ? value : JSON.stringify(value) };
}

function findingsOf(facts: KubeletFacts): readonly Finding[] {
  const { settings, command, followed } = facts;
  const wrong = followed === undefined ? wrongValue(facts) : undefined;
  return [
    ...command.problems,
    ...settings.findings,
    ...(wrong ? [wrong] : []),
    ...inactive(facts),
    ...shadowed(facts),
    ...runtime(facts),
    ...drift(facts),
    ...lint(facts),
  ];
}

/** What is written and does nothing, since the runtime is asked. */
function inactive({ settings, followed }: KubeletFacts): Finding[] {
  if (followed === undefined) return [];
  const [place] = placesOf(settings, 'cgroupDriver');
  if (place === undefined) return [];
  const { path, line, column, text } = place.source;
  const isSame = place.value === followed.driver;
  const what = `${text} is ${JSON.stringify(place.value)} and does nothing: this kubelet takes its driver from ${followed.runtime}`;
  const hint = 'it counts again with an older runtime: set it to the driver of the runtime';
  return [
    {
      severity: isSame ? 'info' : 'warning',
      code: 'kubelet-inactive',
      message: isSame ? what : `${what}, which has ${followed.driver ?? 'one that is not known'}`,
      ...(isSame ? {} : { hint }),
      ...(path && { path }),
      ...(line && { line }),
      ...(column && { column }),
    },
  ];
}

/** A flag that beats a file that says something else: whoever edits the file wonders. */
function shadowed({ settings, followed }: KubeletFacts): Finding[] {
  const [first, ...rest] = placesOf(settings, 'cgroupDriver');
  const loser = rest.find(({ value }) => value !== first?.value);
  if (followed !== undefined || first === undefined || loser === undefined) return [];
  const { path, line, column, text } = loser.source;
  return [
    {
      severity: 'warning',
      code: 'kubelet-shadowed',
      message: `${text} is ${JSON.stringify(loser.value)} and does nothing: ${first.source.text} is ${JSON.stringify(first.value)} and wins`,
      ...(path && { path }),
      ...(line && { line }),
      ...(column && { column }),
    },
  ];
}

function runtime({ version, runtimeTellsNothing, settings }: KubeletFacts): Finding[] {
  if (version === undefined) {
    return [
      {
        severity: 'info',
        code: 'kubelet-version-unknown',
        message: "the kubelet's version is not known: from 1.31 on it may take its driver from the runtime",
        hint: 'say it with --assume kubelet=VERSION',
      },
    ];
  }
  if (runtimeTellsNothing === undefined || settings.notJoined || !isAtLeast(version, '1.31')) return [];
  return [
    {
      severity: 'info',
      code: 'kubelet-fallback',
      message: `${runtimeTellsNothing} does not tell the kubelet its driver, so that the kubelet goes by its own setting; Kubernetes means to end this with 1.38`,
      hint: 'bring the runtime up to date: containerd 2.0, CRI-O 1.28, cri-dockerd 0.4',
    },
  ];
}

function drift({ run, settings, command }: KubeletFacts): Finding[] {
  const found: Finding[] = [];
  if (run?.needDaemonReload) {
    found.push({
      severity: 'warning',
      code: 'need-daemon-reload',
      message: `files of ${command.unit} have changed since systemd read them`,
      hint: 'systemctl daemon-reload',
    });
  }
  const { startedMs } = run ?? {};
  const newer = settings.layers.find(({ mtimeMs }) => startedMs !== undefined && mtimeMs > startedMs);
  if (newer) {
    found.push({
      severity: 'info',
      code: 'kubelet-file-newer',
      message: `${JSON.stringify(newer.path)} has changed since the kubelet started, which reads it at its start only`,
      path: newer.path,
    });
  }
  return found;
}
