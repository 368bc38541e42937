import { fileStep } from '../../change/file-step.ts';
import type { CheckStep, PlanNote, Refusal, Step } from '../../change/plan.ts';
import { quote } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { readGoToml, withKey } from '../formats/go-toml.ts';
import type { AlignRequest, CgroupDriver, RuntimePlan } from '../model.ts';
import { PlannedTree } from '../service/planned-tree.ts';
import type { PodmanFacts } from './podman.ts';
import { configuredOf, MANAGER_KEY, readSettings, type Setting } from './settings.ts';

const OWN_NAME = '99-slicectl.conf';

/**
 * A drop-in of ours, or where a file that is read later sets the manager, that file. What the files would say then is read
 * again before it counts as a plan. Nothing is restarted: each podman command reads its files anew.
 */
export function planPodman(facts: PodmanFacts, request: AlignRequest): RuntimePlan {
  const { to } = request;
  const refusals = [...brokenFiles(facts), ...noSession(facts, to)];
  const isRight = facts.configured.driver === to;
  const steps = isRight || refusals.length > 0 ? [] : fileSteps(facts, to);
  const isDone = isRight && (facts.running === undefined || facts.running === to);
  return {
    runtime: 'podman',
    instance: facts.instance,
    files: steps ?? [],
    reload: false,
    before: [],
    after: steps !== undefined && steps.length > 0 && facts.user.isSelf ? [checkStep(facts, to)] : [],
    refusals: [...(isDone ? [] : refusals), ...(steps === undefined ? [unreachable(facts, to)] : [])],
    notes: steps !== undefined && steps.length > 0 ? notesOf(facts, to) : [],
  };
}

/** The one edit after which the user's podman has that manager, or undefined where none does. */
function fileSteps(facts: PodmanFacts, to: CgroupDriver): readonly Step[] | undefined {
  for (const path of candidates(facts)) {
    const steps = fileStep(facts.tree, path, contentWith(facts.tree, path, to), `cgroup manager of ${titleOf(facts)}`);
    const after = readSettings(new PlannedTree(facts.tree, steps), facts.rules, facts.user);
    if (configuredOf(after, facts.fallback).driver === to) return steps;
  }
  return undefined;
}

/** Where the manager may be written, best first. */
function candidates({ user, rules, settings }: PodmanFacts): string[] {
  const folder = user.uid === 0 ? '/etc/containers' : user.folder;
  const own = rules.dropIns ? `${folder}/containers.conf.d/${OWN_NAME}` : `${folder}/containers.conf`;
  const mayEdit = ({ kind }: Setting): boolean => kind === 'user' || (kind === 'admin' && user.uid === 0);
  return [
    own,
    ...settings.values
      .filter(mayEdit)
      .map(({ path }) => path)
      .reverse(),
  ];
}

function contentWith(tree: RootTree, path: string, to: CgroupDriver): Uint8Array {
  const file = readGoToml(tree, path);
  if (file !== undefined) return withKey(file, MANAGER_KEY, to);
  const lines = ['# Made by slicectl; "slicectl undo" takes it back.', '[engine]', `cgroup_manager = "${to}"`];
  return new TextEncoder().encode(`${lines.join('\n')}\n`);
}

function checkStep({ user, configured }: PodmanFacts, to: CgroupDriver): Step & CheckStep {
  const { driver } = configured;
  return {
    kind: 'check',
    check: 'podman-driver',
    expect: { driver: to, user: user.name },
    ...(driver !== undefined && { expectBefore: { driver, user: user.name } }),
    purpose: `podman says that new containers get ${to}`,
    ...(driver !== undefined && { purposeBefore: `podman says that new containers get ${driver}` }),
  };
}

function brokenFiles({ settings, instance }: PodmanFacts): Refusal[] {
  return settings.findings
    .filter(({ severity, code }) => severity === 'error' && code === 'podman-fault')
    .map(({ message, hint }) => ({
      reason: instance === '' ? message : `${message} (${instance})`,
      hint: hint ?? 'correct the file first: slicectl does not repair what it cannot read',
      fault: true,
    }));
}

function noSession({ user, hasSession }: PodmanFacts, to: CgroupDriver): Refusal[] {
  if (to !== 'systemd' || hasSession) return [];
  return [
    {
      reason: `podman of ${user.name} cannot use systemd: that user has no session of systemd, and podman falls back to cgroupfs`,
      hint: `log in as ${user.name} without su or sudo, or let the user's systemd run by "loginctl enable-linger ${user.name}"`,
    },
  ];
}

function unreachable({ settings, user }: PodmanFacts, to: CgroupDriver): Refusal {
  const last = settings.values.at(-1);
  const where = last === undefined ? 'its files' : quote(last.path);
  return {
    reason: `podman of ${user.name} keeps its cgroup manager: ${where} is read last and is not edited`,
    hint:
      last?.kind === 'environment'
        ? 'unset CONTAINERS_CONF and CONTAINERS_CONF_OVERRIDE, or set cgroup_manager there yourself'
        : `set cgroup_manager = "${to}" there yourself`,
  };
}

function notesOf(facts: PodmanFacts, to: CgroupDriver): PlanNote[] {
  const notes: PlanNote[] = [
    {
      severity: 'impact',
      text: `containers of ${titleOf(facts)} that exist keep the manager they were made with; make them again to have them under ${to}`,
    },
  ];
  if (!facts.user.isSelf && facts.isLive) {
    notes.push({ severity: 'info', text: `not checked: only ${facts.user.name} can ask ${titleOf(facts)}` });
  }
  if (to === 'cgroupfs' && facts.user.uid !== 0) {
    notes.push({ severity: 'warning', text: 'without root and without systemd, podman puts no limits on containers' });
  }
  return notes;
}

function titleOf({ user }: PodmanFacts): string {
  return user.uid === 0 ? 'podman' : `podman of ${user.name}`;
}
