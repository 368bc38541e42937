import type { PlanNote, Step } from '../../change/plan.ts';
import { ifReadable } from '../../host/readable.ts';
import { findUnitFiles } from '../../host/unit-files.ts';
import type { AlignRequest, RuntimePlan, RuntimeStatus } from '../model.ts';
import { needsReload } from '../service/edit.ts';
import type { DockerContainer } from './containers.ts';
import type { DockerFacts } from './facts.ts';
import { comesBack, type Impact, impactOf } from './impact.ts';
import { needsLiveRestore, needsRestart, planFiles } from './plan-files.ts';

/**
 * Docker's share: the files where they count, then, where the driver in force is another one, a restart and its proof.
 * A daemon that was stopped is not started; one that failed is. One that no unit starts, or another user's, cannot be restarted from here:
 * its files are changed where they may be, and a note says that the rest is to be done by hand.
 */
export function planDocker(facts: DockerFacts, request: AlignRequest, others: readonly RuntimeStatus[]): RuntimePlan {
  const { daemon, run, isLive } = facts;
  const base = { runtime: 'docker', instance: daemon.instance, manager: daemon.manager, before: [] } as const;
  if (!facts.isEditable) {
    return { ...base, files: [], reload: false, after: [], refusals: [], notes: foreign(facts, request) };
  }
  const { files, refusals, notes } = planFiles(facts, request);
  const restarts = isLive && needsRestart(facts, request);
  const impact = restarts && refusals.length === 0 ? impactOf(facts, request, others) : NO_IMPACT;
  const isActed = isLive && facts.isManaged && refusals.length === 0;
  const after = !isActed
    ? []
    : restarts
      ? restartSteps(facts, request)
      : run.hasFailed
        ? startSteps(facts, request)
        : [];
  const isStale = after.length > 0 && daemon.loaded?.needDaemonReload === true;
  return {
    ...base,
    files,
    reload: needsReload(files) || isStale,
    after,
    refusals: [...refusals, ...impact.refusals],
    notes: [
      ...notes,
      ...impact.notes,
      ...(files.length > 0 && isLive && !run.isRunning && after.length === 0 ? [notRunning(facts)] : []),
      ...(restarts && !facts.isManaged ? [byHand(facts)] : []),
    ],
  };
}

const NO_IMPACT: Impact = { refusals: [], notes: [] };

function foreign({ daemon, run, next }: DockerFacts, { to }: AlignRequest): readonly PlanNote[] {
  if (run.observed?.driver === to && next.configured.driver === to) return [];
  const who = daemon.user === undefined ? 'whoever started it' : daemon.user.name;
  return [
    {
      severity: 'warning',
      text: `Docker (${daemon.instance}) is left as it is: only ${who} can change and restart it`,
    },
  ];
}

/** A daemon that failed to start, most often by the very files that change. Undone, it is down again as it was. */
function startSteps(facts: DockerFacts, { to }: AlignRequest): readonly Step[] {
  const { daemon, run } = facts;
  const unit = daemon.unit ?? 'docker.service';
  const socket = run.socket ?? '/run/docker.sock';
  const reset = resetUnits(facts, unit);
  return [
    { kind: 'unit', manager: daemon.manager, unit, verb: 'start', reset, purpose: 'Docker, which had failed, starts' },
    {
      kind: 'check',
      check: 'docker-driver',
      expect: { driver: to, socket },
      purpose: `Docker says that its driver is ${to}`,
    },
  ];
}

function restartSteps(facts: DockerFacts, request: AlignRequest): readonly Step[] {
  const { daemon, run } = facts;
  const { manager } = daemon;
  const unit = daemon.unit ?? 'docker.service';
  const socket = run.socket ?? '/run/docker.sock';
  const live: readonly Step[] = needsLiveRestore(facts, request)
    ? [
        { kind: 'unit', manager, unit, verb: 'reload', purpose: 'Docker switches live-restore on' },
        {
          kind: 'check',
          check: 'docker-live-restore',
          expect: { enabled: 'true', socket },
          purpose: 'live-restore is on',
        },
      ]
    : [];
  const staying = stayingUp(facts, request).map(({ name }) => name);
  // Undone, a live-restore that the change switched on is off again when the old daemon starts, which then stops the rest.
  const back =
    run.info?.liveRestore === true
      ? staying
      : stayingUp(facts, request)
          .filter(comesBack)
          .map(({ name }) => name);
  return [
    ...live,
    {
      kind: 'unit',
      manager,
      unit,
      verb: 'restart',
      reset: resetUnits(facts, unit),
      purpose: 'Docker starts with the new driver',
    },
    {
      kind: 'check',
      check: 'docker-driver',
      expect: { driver: request.to, socket },
      ...(run.observed && { expectBefore: { driver: run.observed.driver, socket } }),
      purpose: `Docker says that its driver is ${request.to}`,
      ...(run.observed && { purposeBefore: `Docker says that its driver is ${run.observed.driver}` }),
    },
    {
      kind: 'check',
      check: 'docker-probe',
      expect: { driver: request.to, socket },
      purpose: `a fresh container, of an image at hand and gone at once, gets its group by ${request.to}`,
    },
    ...(staying.length === 0
      ? []
      : [
          {
            kind: 'check' as const,
            check: 'docker-containers',
            expect: { running: staying.join(' '), socket },
            ...(back.length > 0 && { expectBefore: { running: back.join(' '), socket } }),
            purpose: 'containers run again',
            purposeBefore: 'containers run again',
          },
        ]),
  ];
}

/** The containers that must run again afterwards. */
function stayingUp(facts: DockerFacts, request: AlignRequest): readonly DockerContainer[] {
  const survives = facts.run.info?.liveRestore === true || needsLiveRestore(facts, request);
  return (facts.run.containers ?? []).filter(
    (container) => container.running && !container.isPod && (survives || comesBack(container)),
  );
}

/** Three failed starts put docker.service and docker.socket into start-limit-hit (moby#33931). */
function resetUnits({ tree, daemon }: DockerFacts, unit: string): readonly string[] {
  const socket = unit.replace(/\.service$/, '.socket');
  const files = ifReadable(() => findUnitFiles(tree, socket, daemon.user));
  return files === undefined ? [unit] : [unit, socket];
}

function notRunning({ daemon }: DockerFacts): PlanNote {
  const name = daemon.unit ?? 'Docker';
  return { severity: 'info', text: `${name} does not run and is not started: its driver is proved at its next start` };
}

function byHand({ daemon }: DockerFacts): PlanNote {
  const way = daemon.unit === undefined ? 'no unit of systemd starts it' : "systemd's bus does not answer";
  return {
    severity: 'warning',
    text: `Docker must be restarted by hand, since ${way}: until then it goes on as it is`,
  };
}
