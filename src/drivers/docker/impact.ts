import type { PlanNote, Refusal, Step } from '../../change/plan.ts';
import type { AlignRequest, RuntimeStatus } from '../model.ts';
import type { DockerContainer } from './containers.ts';
import type { DockerFacts } from './facts.ts';
import { flagValue } from './flags.ts';
import { isObject } from './lint.ts';
import { isSlice, parentOf } from './lint-values.ts';
import { needsLiveRestore, nextAfter } from './plan-files.ts';

const STOP = '--stop-containers';
const DRAINED = '--drained';

export interface Impact {
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

/**
 * What a restart of Docker with another driver does to the host.
 *
 * An administrator wants to be asked only where something is lost for good: containers that dockerd starts again by
 * their policy (`always`, `unless-stopped`) are told as impact. What does not surely come back needs `--stop-containers`:
 * containers without a policy, those with `--rm`, and those with `on-failure`, which come back only after an exit status
 * other than 0. Pods are the kubelet's and need `--drained`.
 */
export function impactOf(facts: DockerFacts, request: AlignRequest, others: readonly RuntimeStatus[]): Impact {
  const { run } = facts;
  const containers = run.containers ?? [];
  const own = containers.filter(({ isPod }) => !isPod);
  const parts = [
    unknown(facts),
    pods(containers),
    parents(own, facts, request),
    swarm(facts, request),
    survives(facts, request) ? survivors(own, facts, request) : stopped(own),
    gpus(facts, request),
    followers(others),
  ];
  return { refusals: parts.flatMap(({ refusals }) => refusals), notes: parts.flatMap(({ notes }) => notes) };
}

/** What a stop or restart of Docker with these files does to containers, whatever it is for. */
export function impactOfJobs(facts: DockerFacts, steps: readonly Step[]): readonly PlanNote[] {
  const { daemon, run } = facts;
  const verbs = steps.flatMap((step) =>
    step.kind === 'unit' && step.manager === daemon.manager && step.unit === daemon.unit ? [step.verb] : [],
  );
  if (!run.isRunning || !verbs.some((verb) => verb === 'stop' || verb === 'restart')) return [];
  if (run.containers === undefined) return [{ severity: 'impact', text: 'Docker does not say which containers stop' }];
  const running = run.containers.filter((container) => container.running);
  if (running.length === 0) return [];
  if (run.info?.liveRestore === true && staysLive(facts, steps)) {
    return [
      { severity: 'impact', text: `${count(running, 'container')} go on by live-restore`, items: running.map(nameOf) },
    ];
  }
  if (verbs.some((verb) => verb === 'start' || verb === 'restart')) return stopped(running).notes;
  const text = `${count(running, 'container')} will stop, and stay down until Docker is started`;
  return [{ severity: 'impact', text, items: running.map(nameOf) }];
}

/** dockerd stops at its start what runs from before, unless live-restore is on then. */
function staysLive(facts: DockerFacts, steps: readonly Step[]): boolean {
  const files = steps.filter(({ kind }) => kind === 'file');
  const { start } = facts;
  const flag = flagValue(start.flags, 'live-restore');
  return flag === undefined
    ? nextAfter(facts, files).file.document?.value(['live-restore']) === true
    : flag.value !== 'false';
}

const NOTHING: Impact = { refusals: [], notes: [] };

function survives(facts: DockerFacts, request: AlignRequest): boolean {
  return facts.run.info?.liveRestore === true || needsLiveRestore(facts, request);
}

function unknown({ run }: DockerFacts): Impact {
  if (run.containers !== undefined) return NOTHING;
  const reason = 'Docker runs and does not say which containers it has, so that nobody knows what its restart stops';
  const [first] = run.findings;
  return { refusals: [{ reason, hint: first?.message ?? 'run it as root', override: STOP }], notes: [] };
}

function pods(containers: readonly DockerContainer[]): Impact {
  const running = containers.filter(({ isPod, running }) => isPod && running);
  if (running.length === 0) return NOTHING;
  return {
    refusals: [
      {
        reason: `${count(running, 'container')} of Kubernetes pods run in Docker, and pods do not survive another driver`,
        hint: 'drain the node first (kubectl drain NODE --ignore-daemonsets)',
        override: DRAINED,
      },
    ],
    notes: [],
  };
}

/** runc's systemd driver refuses a parent that is no slice when the container starts, not before. */
function parents(containers: readonly DockerContainer[], facts: DockerFacts, { to }: AlignRequest): Impact {
  const set = containers.filter(({ parent }) => parent !== '');
  if (to === 'cgroupfs') {
    const slices = set.filter(({ parent }) => isSlice(parent));
    const daemons = parentOf(facts.next.file.document, facts.start.flags);
    const isOwn = daemons !== undefined && isSlice(daemons.value);
    if (slices.length === 0 && !isOwn) return NOTHING;
    const text =
      'a slice as parent is only a folder to cgroupfs: systemd does not know it, and limits of the slice do not reach it';
    return {
      refusals: [],
      notes: [{ severity: 'warning', text, ...(slices.length > 0 && { items: slices.map(nameOf) }) }],
    };
  }
  const broken = set.filter(({ parent }) => !isSlice(parent));
  if (broken.length === 0) return NOTHING;
  const reason = `${count(broken, 'container')} cannot be started with the systemd driver, since their --cgroup-parent is no slice: ${names(broken)}`;
  return {
    refusals: [{ reason, hint: 'make them anew with a parent such as jobs.slice, or without one', override: STOP }],
    notes: [
      {
        severity: 'impact',
        text: 'will not start again',
        items: broken.map(({ name, parent }) => `${name} (${parent})`),
      },
    ],
  };
}

function swarm({ run }: DockerFacts, request: AlignRequest): Impact {
  if (run.info?.inSwarm !== true) return NOTHING;
  const refusals: Refusal[] = [
    {
      reason: 'this node is in a swarm, which moves its tasks elsewhere when Docker restarts',
      hint: 'drain it first (docker node update --availability drain NODE)',
      override: STOP,
    },
  ];
  if (request.liveRestore) {
    refusals.push({ reason: 'Docker has no live-restore in a swarm', hint: 'leave --live-restore out' });
  }
  return { refusals, notes: [] };
}

function survivors(containers: readonly DockerContainer[], facts: DockerFacts, request: AlignRequest): Impact {
  const running = containers.filter(({ running }) => running);
  if (running.length === 0) return NOTHING;
  const notes: PlanNote[] = [
    {
      severity: 'impact',
      text: `${count(running, 'container')} go on by live-restore, in their old cgroups until each is restarted`,
      items: running.map(nameOf),
    },
  ];
  if (needsLiveRestore(facts, request)) {
    const gone = running.filter((container) => !comesBack(container));
    notes.push({
      severity: 'info',
      text: `live-restore is switched on first, and stays on${gone.length === 0 ? '' : '; slicectl undo switches it off again, and Docker then stops what has no restart policy'}`,
    });
  }
  return { refusals: [], notes };
}

function stopped(containers: readonly DockerContainer[]): Impact {
  const running = containers.filter(({ running }) => running);
  if (running.length === 0) return NOTHING;
  const back = running.filter(comesBack);
  const gone = running.filter((container) => !comesBack(container));
  const notes: PlanNote[] = [];
  if (back.length > 0) {
    const text = `${count(back, 'container')} will stop, and be started again by ${back.length === 1 ? 'its' : 'their'} restart policy`;
    notes.push({ severity: 'impact', text, items: back.map(nameOf) });
  }
  if (gone.length === 0) return { refusals: [], notes };
  notes.push({
    severity: 'impact',
    text: `${count(gone, 'container')} will stop, and may stay down`,
    items: gone.map(withReason),
  });
  const reason = `${count(gone, 'running container')} would stop and not surely come back: ${names(gone)}`;
  const hint =
    'give them a restart policy (docker update --restart unless-stopped NAME), or let them survive with --live-restore';
  return { refusals: [{ reason, hint, override: STOP }], notes };
}

/** By `ShouldRestart` in restartmanager, at the start of the daemon. */
export function comesBack({ restart, autoRemove }: DockerContainer): boolean {
  return !autoRemove && (restart === 'always' || restart === 'unless-stopped');
}

function withReason({ name, autoRemove, restart }: DockerContainer): string {
  if (autoRemove) return `${name} (--rm: it is removed)`;
  return restart === 'on-failure'
    ? `${name} (on-failure: only if its exit status is not 0)`
    : `${name} (no restart policy)`;
}

function gpus({ run, next }: DockerFacts, { to }: AlignRequest): Impact {
  const inFile = next.file.document?.value(['runtimes']);
  const runtimes = [...(run.info?.runtimes ?? []), ...(isObject(inFile) ? Object.keys(inFile) : [])];
  if (to !== 'systemd' || !runtimes.some((name) => /nvidia/i.test(name))) return NOTHING;
  const text =
    'with the systemd driver a daemon-reload takes the GPUs from running containers where the NVIDIA toolkit does not use CDI (nvidia-container-toolkit#386)';
  return { refusals: [], notes: [{ severity: 'warning', text }] };
}

function followers(others: readonly RuntimeStatus[]): Impact {
  const names = others.filter(({ follows }) => follows === 'docker').map(({ runtime }) => runtime);
  if (names.length === 0) return NOTHING;
  return {
    refusals: [],
    notes: [{ severity: 'info', text: `${[...new Set(names)].join(' and ')} follows Docker's driver` }],
  };
}

function nameOf({ name }: DockerContainer): string {
  return name;
}

function names(containers: readonly DockerContainer[]): string {
  const all = containers.map(nameOf);
  return all.length > 4 ? `${all.slice(0, 4).join(', ')} and ${all.length - 4} more` : all.join(', ');
}

function count(containers: readonly DockerContainer[], what: string): string {
  return `${containers.length} ${what}${containers.length === 1 ? '' : 's'}`;
}
