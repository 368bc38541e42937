import { fileStep } from '../../change/file-step.ts';
import type { CheckStep, PlanNote, Refusal, Step } from '../../change/plan.ts';
import { SlicectlError } from '../../core/errors.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { readGoToml, withKey } from '../formats/go-toml.ts';
import type { AlignRequest, CgroupDriver, RuntimePlan } from '../model.ts';
import { readServiceCommand } from '../service/command.ts';
import { changeFlag, needsReload } from '../service/edit.ts';
import { PlannedTree } from '../service/planned-tree.ts';
import type { CrioFacts } from './crio.ts';
import { type Option, placesOf } from './files.ts';
import { type CrioSettings, MANAGER_KEY, MONITOR_KEY, readSettings, type Setting } from './settings.ts';

const OWN_NAME = '99-slicectl.conf';
const PURPOSE = "CRI-O's cgroup manager";
/** Valid with both managers, in every version. */
const ANY_MONITOR = 'pod';

/**
 * The option that sets the manager is changed where it is written. Else a file of ours sets it, or where a later file does,
 * that one; conmon's group is set along with it. What CRI-O would make of
 * the result is read again before it counts as a plan.
 */
export function planCrio(facts: CrioFacts, request: AlignRequest): RuntimePlan {
  const { to } = request;
  const { files, refusals } = edits(facts, to);
  const differs = facts.daemon?.observed !== undefined && facts.daemon.observed.driver !== to;
  const restarts = refusals.length === 0 && facts.isActive && (files.length > 0 || differs);
  return {
    runtime: 'crio',
    instance: '',
    files,
    reload: needsReload(files) || (restarts && facts.needDaemonReload),
    before: [],
    after: restarts ? restart(facts, to) : [],
    refusals: [...refusals, ...(restarts ? podsRefusal(facts) : [])],
    notes: files.length > 0 || restarts ? notesOf(facts, to, restarts) : [],
  };
}

interface Edits {
  readonly files: readonly Step[];
  readonly refusals: readonly Refusal[];
}

function edits(facts: CrioFacts, to: CgroupDriver): Edits {
  if (facts.settings.configured.driver === to) return { files: [], refusals: [] };
  const broken = facts.settings.findings.filter(({ code }) => code === 'crio-fault');
  if (broken.length > 0) {
    const hint = 'correct the file first: slicectl does not repair what it cannot read';
    return {
      files: [],
      refusals: broken.map((each) => ({ reason: each.message, hint: each.hint ?? hint, fault: true })),
    };
  }
  try {
    return optionEdits(facts, to);
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    return { files: [], refusals: [{ reason: error.message, ...(error.hint !== undefined && { hint: error.hint }) }] };
  }
}

/** Options beat files: they are changed first, and files only where no option says the same. */
function optionEdits(facts: CrioFacts, to: CgroupDriver): Edits {
  const { manager, monitor } = facts.places;
  const draft = new Draft(facts);
  const fixed = [manager?.value === to ? undefined : manager, draft.needsMonitor(to) ? monitor : undefined].filter(
    (each) => each !== undefined,
  );
  const variable = fixed.find(({ use }) => use === undefined);
  if (variable !== undefined) return { files: [], refusals: [variableRefusal(variable, to)] };
  if (manager?.use) draft.option(manager.use, to);
  if (monitor?.use && draft.needsMonitor(to)) draft.option(monitor.use, ANY_MONITOR);
  for (const path of candidates(facts)) {
    const files = draft.withFiles(path, to);
    if (draft.read(files).configured.driver === to) return { files, refusals: [] };
  }
  const reason = `CRI-O cannot be given ${to} by a file: ${facts.settings.configured.source.text} is read last`;
  return { files: [], refusals: [{ reason, hint: 'set cgroup_manager and conmon_cgroup there yourself' }] };
}

/** What a plan would write, and what CRI-O would make of it. */
class Draft {
  readonly #facts: CrioFacts;
  #options: readonly Step[] = [];

  constructor(facts: CrioFacts) {
    this.#facts = facts;
  }

  option(use: NonNullable<Option['use']>, value: string): void {
    const { tree, unit } = this.#facts;
    const planned = new PlannedTree(tree, this.#options);
    const command = readServiceCommand(planned, unit);
    if (command === undefined) return;
    const steps = changeFlag(planned, command, use, value);
    this.#options = merge(tree, [...this.#options, ...steps]);
  }

  /** The files with both values in `path` where they are needed, after the options. */
  withFiles(path: string, to: CgroupDriver): readonly Step[] {
    const { tree } = this.#facts;
    const write = (keys: readonly string[], value: string, steps: readonly Step[]): readonly Step[] => {
      const bytes = contentWith(new PlannedTree(tree, steps), path, keys, value);
      return merge(tree, [...steps, ...fileStep(tree, path, bytes, PURPOSE)]);
    };
    let steps = this.#options;
    if (this.#facts.places.manager === undefined && this.read(steps).managers.at(-1)?.value !== to) {
      steps = write(MANAGER_KEY, to, steps);
    }
    if (isMonitorWrong(this.read(steps), to)) steps = write(MONITOR_KEY, ANY_MONITOR, steps);
    return steps;
  }

  /** Whether the manager that is wanted needs another group of conmon than the one there is. */
  needsMonitor(to: CgroupDriver): boolean {
    const { tree, places, rules } = this.#facts;
    const manager = { value: to, source: { kind: 'default', text: '' } as const, use: undefined };
    return isMonitorWrong(readSettings(tree, { ...places, manager }, rules), to);
  }

  read(steps: readonly Step[]): CrioSettings {
    const { tree, unit, rules } = this.#facts;
    const planned = new PlannedTree(tree, steps);
    return readSettings(planned, placesOf(readServiceCommand(planned, unit), rules), rules);
  }
}

/** Whatever the version, cgroupfs gets the one group that goes with it everywhere; systemd keeps one that is valid. */
function isMonitorWrong({ monitors, findings }: CrioSettings, to: CgroupDriver): boolean {
  if (to === 'cgroupfs') return monitors.at(-1)?.value !== ANY_MONITOR;
  return findings.some(({ code }) => code === 'crio-monitor-cgroup');
}

/** One step a file: the last one of each, with the state before of the tree. */
function merge(tree: RootTree, steps: readonly Step[]): readonly Step[] {
  const last = new Map<string, Step>();
  for (const step of steps) if (step.kind === 'file') last.set(step.target, step);
  return [...last.values()].flatMap((step) =>
    step.kind === 'file' ? fileStep(tree, step.path, step.after, step.purpose) : [],
  );
}

function candidates({ places, settings }: CrioFacts): string[] {
  const own = places.folder === undefined ? [] : [`${places.folder}/${OWN_NAME}`];
  const pathsOf = (values: readonly Setting[]): string[] =>
    values
      .flatMap(({ source }) => (source.kind === 'file' && source.path !== undefined ? [source.path] : []))
      .reverse();
  const main = places.main === undefined ? [] : [places.main];
  return [...new Set([...own, ...pathsOf(settings.managers), ...pathsOf(settings.monitors), ...main])];
}

function contentWith(tree: RootTree, path: string, keys: readonly string[], value: string): Uint8Array {
  const file = readGoToml(tree, path);
  if (file !== undefined) return withKey(file, keys, value);
  const lines = ['# Made by slicectl; "slicectl undo" takes it back.', '[crio.runtime]', `${keys.at(-1)} = "${value}"`];
  return new TextEncoder().encode(`${lines.join('\n')}\n`);
}

function restart({ unit, socket, daemon }: CrioFacts, to: CgroupDriver): readonly Step[] {
  const before = daemon?.observed?.driver;
  const check: CheckStep & { purpose: string } = {
    kind: 'check',
    check: 'crio-driver',
    expect: { driver: to, socket },
    ...(before !== undefined && { expectBefore: { driver: before, socket } }),
    purpose: `CRI-O says that it uses ${to}`,
    ...(before !== undefined && { purposeBefore: `CRI-O says that it uses ${before}` }),
  };
  const purpose = 'CRI-O reads its files at its start only';
  return [{ kind: 'unit', manager: 'system', unit, verb: 'restart', reset: [unit], purpose }, check];
}

function podsRefusal({ daemon }: CrioFacts): Refusal[] {
  const pods = daemon?.pods ?? [];
  if (pods.length === 0) return [];
  const shown = pods.slice(0, 3).join(', ');
  const more = pods.length > 3 ? ` and ${pods.length - 3} more` : '';
  return [
    {
      reason: `CRI-O has ${pods.length} ${pods.length === 1 ? 'pod' : 'pods'} (${shown}${more}), which would keep groups of the old driver`,
      hint: 'drain the node first: kubectl drain NODE --ignore-daemonsets',
      override: '--drained',
    },
  ];
}

function variableRefusal({ source, value }: Option, to: CgroupDriver): Refusal {
  const at = source.path === undefined ? 'its environment' : `${source.path}${source.line ? `:${source.line}` : ''}`;
  return {
    reason: `a variable of CRI-O's environment gives it ${JSON.stringify(value)}, which beats all files, and it is not edited`,
    hint: `take the variable out of ${at}, or set ${to} there yourself`,
  };
}

function notesOf({ isLive, isActive, daemon }: CrioFacts, to: CgroupDriver, restarts: boolean): PlanNote[] {
  const notes: PlanNote[] = [];
  if (restarts) {
    notes.push({ severity: 'impact', text: 'CRI-O is restarted; containers go on, and nothing new starts meanwhile' });
    notes.push({
      severity: 'impact',
      text: 'groups of pods that exist stay as they are; a reboot of the drained node is the surest way',
    });
    if (daemon?.pods === undefined) {
      notes.push({ severity: 'warning', text: 'CRI-O did not say which pods it has' });
    }
  } else if (isLive && !isActive) {
    notes.push({ severity: 'info', text: `CRI-O does not run; it will use ${to} from its next start on` });
  }
  return notes;
}
