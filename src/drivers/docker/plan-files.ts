import { fileStep } from '../../change/file-step.ts';
import type { PlanNote, Refusal, Step } from '../../change/plan.ts';
import { decodeConfig, encodeConfig } from '../../core/config-text.ts';
import { SlicectlError } from '../../core/errors.ts';
import { type JsonNode, parseJson, removeJson, setJson } from '../formats/json.ts';
import type { AlignRequest, CgroupDriver } from '../model.ts';
import { readServiceCommand, type ServiceCommand } from '../service/command.ts';
import { changeFlag } from '../service/edit.ts';
import { PlannedTree } from '../service/planned-tree.ts';
import { DRIVER_OPTION, driverOf } from './exec-opts.ts';
import type { DockerFacts } from './facts.ts';
import { type DockerFlag, flagValue, readUnitFlags } from './flags.ts';
import { directivesOf } from './lint.ts';
import { type NextStart, readNextStart } from './next-start.ts';

const PURPOSE = "Docker's cgroup driver";

export interface FileChanges {
  readonly files: readonly Step[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly PlanNote[];
}

/**
 * Makes the driver of the next start what is asked for, in the one place that counts: the option on the command line,
 * where there is one, since dockerd does not start with the option and `exec-opts` in its file; else daemon.json. Every
 * entry for the driver in that place gets the same value, so that it does not matter whether the first or the last counts.
 *
 * Where both are there, Docker does not start now. Then the option stays and `exec-opts` leaves the file, provided that
 * it says nothing but the driver there: the unit is what the host's package or administrator starts Docker with, and the
 * file's entry never had an effect. The result is read again, and nothing is changed that would not start.
 */
export function planFiles(facts: DockerFacts, request: AlignRequest): FileChanges {
  const obstacle = obstacleOf(facts, request);
  if (obstacle) return { files: [], refusals: [obstacle], notes: [] };
  const { next, isLive } = facts;
  const { driver, source, shadowed } = next.configured;
  const wantsLive = needsLiveRestore(facts, request);
  const isSet = driver === request.to && !wantsLive;
  // A daemon that is restarted anyway gets the value written down; one that is not is only told of.
  if (isSet && source.kind === 'default' && isLive && !needsRestart(facts, request)) {
    return { files: [], refusals: [], notes: [fromDefault(facts)] };
  }
  if (isSet && source.kind !== 'default' && shadowed.every(({ value }) => value === request.to)) {
    return { files: [], refusals: [], notes: [] };
  }
  try {
    const changes = edit(facts, request.to, wantsLive);
    return changes.refusals.length > 0 ? changes : proven(facts, request, changes);
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    const { message, hint } = error;
    return { files: [], refusals: [{ reason: message, ...(hint !== undefined && { hint }) }], notes: [] };
  }
}

/** `--live-restore` changes something only where Docker restarts, containers run and it is off. */
export function needsLiveRestore(facts: DockerFacts, request: AlignRequest): boolean {
  const { containers, info } = facts.run;
  const runs = containers?.some(({ running }) => running) ?? true;
  return request.liveRestore && needsRestart(facts, request) && runs && info?.liveRestore === false;
}

/** Whether the driver in force is another one than asked for, so that dockerd has to be restarted. */
export function needsRestart({ run }: DockerFacts, { to }: AlignRequest): boolean {
  return run.isRunning && run.observed?.driver !== to;
}

function obstacleOf(facts: DockerFacts, { to }: AlignRequest): Refusal | undefined {
  const { next, start, isUnified, hasSystemd, isLive } = facts;
  const { file } = next;
  const broken = file.findings.find(({ severity }) => severity === 'error');
  if (broken) {
    const place =
      broken.line === undefined ? '' : `:${broken.line}${broken.column === undefined ? '' : `:${broken.column}`}`;
    return { reason: `${file.path}${place}: ${broken.message}`, hint: broken.hint ?? 'mend it first', fault: true };
  }
  if (file.uneditable !== undefined) {
    return { reason: `${file.path} is not changed: ${file.uneditable}`, hint: 'save it as UTF-8 first', fault: true };
  }
  const doubtful = doubtfulExecOpts(facts, to);
  if (doubtful !== undefined) return doubtful;
  if (start.isRootless && to === 'cgroupfs') {
    return {
      reason: 'rootless Docker has no cgroupfs driver: without systemd it makes no cgroups at all',
      hint: 'leave it out with --runtime, or align to systemd',
    };
  }
  if (to === 'systemd' && isLive && !hasSystemd) {
    return {
      reason: 'systemd does not run on this host, and Docker needs it for its systemd driver',
      hint: 'align to cgroupfs',
    };
  }
  if (to === 'systemd' && start.isRootless && !isUnified) {
    return { reason: 'rootless Docker takes the systemd driver only on cgroup v2', hint: 'boot with cgroup v2' };
  }
  const guessed = start.flags.find(({ flag, uncertain }) => flag === 'exec-opt' && uncertain);
  if (guessed !== undefined) {
    return {
      reason: `a shell script starts Docker with ${guessed.name} ${guessed.value}, and slicectl does not edit scripts`,
      hint: `change it in ${guessed.source.path ?? 'the script'} by hand`,
    };
  }
  const outside = start.flags.find(({ flag }) => flag === 'exec-opt');
  if (outside !== undefined && start.command === undefined) {
    return {
      reason: `Docker was started with ${outside.name} ${outside.value} by something else than a unit of systemd`,
      hint: 'change the option where it is started, such as in /etc/conf.d/docker, and restart it',
    };
  }
  return undefined;
}

/** What a person has to decide: which of two keys is meant, and what a value is that is no list. */
function doubtfulExecOpts({ next: { file } }: DockerFacts, to: CgroupDriver): Refusal | undefined {
  const { document, path } = file;
  const [first, second] = document?.all([], 'exec-opts') ?? [];
  if (document === undefined || first === undefined) return undefined;
  const placed = (node: JsonNode, what: string, hint: string): Refusal => {
    const { line, column } = document.positionOf(node);
    return { reason: `${path}:${line}:${column}: ${what}`, hint, fault: true };
  };
  if (second !== undefined) {
    const { line } = document.positionOf(first);
    return placed(
      second,
      `"exec-opts" is here and in line ${line} too, and Docker reads the last one only`,
      'leave one of them',
    );
  }
  if (Array.isArray(first.value) || first.value === null) return undefined;
  return placed(
    first,
    'Docker does not start: "exec-opts" must be a list of texts',
    `write ["${DRIVER_OPTION}=${to}"]`,
  );
}

function edit(facts: DockerFacts, to: CgroupDriver, liveRestore: boolean): FileChanges {
  const { start, next } = facts;
  const uses = start.flags.filter(({ flag }) => flag === 'exec-opt');
  const { document } = next.file;
  const inFile = document === undefined ? [] : directivesOf(document).filter(({ key }) => key === 'exec-opts');
  if (liveRestore && flagValue(start.flags, 'live-restore') !== undefined) {
    return refused(
      '--live-restore is on the command line of Docker, so that its file cannot switch it on',
      'change it there',
    );
  }
  if (uses.length === 0)
    return { files: fileSteps(facts, (text) => withDriver(text, to), liveRestore), refusals: [], notes: [] };
  const other = uses.find(({ value }) => driverOf(value) === undefined);
  if (other !== undefined && !uses.some(({ value }) => driverOf(value) !== undefined)) {
    return refused(
      `${other.name} ${other.value} on the command line keeps exec-opts out of ${next.file.path}, and says nothing about the driver`,
      'remove that option: Docker on Linux knows only native.cgroupdriver',
    );
  }
  const units = flagSteps(facts, to);
  if (inFile.length === 0) {
    return { files: [...units, ...fileSteps(facts, (text) => text, liveRestore)], refusals: [], notes: [] };
  }
  const isOnlyDriver = inFile.every(({ path }) => path.length === 1) && onlyDriver(facts);
  if (!isOnlyDriver) {
    return refused(
      `exec-opts is on Docker's command line and in ${next.file.path}, where it holds more than the driver`,
      'leave it in one of the two places',
    );
  }
  const files = fileSteps(facts, withoutExecOpts, liveRestore);
  const text = `exec-opts leaves ${next.file.path}: Docker does not start as long as ${uses[0]?.name} is on its command line too`;
  return { files: [...units, ...files], refusals: [], notes: [{ severity: 'warning', text }] };
}

function refused(reason: string, hint: string): FileChanges {
  return { files: [], refusals: [{ reason, hint }], notes: [] };
}

function onlyDriver({ next }: DockerFacts): boolean {
  const nodes = next.file.document?.all([], 'exec-opts') ?? [];
  return nodes.every(
    ({ value }) =>
      value === null || (Array.isArray(value) && value.every((text) => driverOf(String(text)) !== undefined)),
  );
}

/** The text with `to` in every entry for the driver of `exec-opts`, and such an entry where there is none. */
export function withDriver(text: string, to: CgroupDriver): string {
  const entry = `${DRIVER_OPTION}=${to}`;
  const options = parseJson(text, 'daemon.json', { allowEmpty: true }).value(['exec-opts']);
  if (!Array.isArray(options)) return setJson(text, ['exec-opts'], [entry]);
  const places = options.flatMap((option, index) => (driverOf(String(option)) === undefined ? [] : [index]));
  const wanted = places.length === 0 ? [options.length] : places;
  return wanted.reduce((now, index) => setJson(now, ['exec-opts', index], entry), text);
}

function withoutExecOpts(text: string): string {
  let left = text;
  for (let last = ''; left !== last; ) {
    last = left;
    left = removeJson(left, ['exec-opts']);
  }
  return left;
}

function fileSteps(
  { tree, next }: DockerFacts,
  change: (text: string) => string,
  liveRestore: boolean,
): readonly Step[] {
  const { path } = next.file;
  const found = tree.read(path);
  const { text, bom } = found === undefined ? { text: '', bom: false } : decodeConfig(found.bytes, path);
  const changed = change(text);
  const after = liveRestore ? setJson(changed, ['live-restore'], true) : changed;
  return after === text ? [] : fileStep(tree, path, encodeConfig({ text: after, bom }), PURPOSE);
}

/** Changes every option for the driver that has another value, one after another in the tree as it is by then. */
function flagSteps({ tree, start }: DockerFacts, to: CgroupDriver): readonly Step[] {
  let steps: readonly Step[] = [];
  let planned = tree;
  let command: ServiceCommand | undefined = start.command;
  for (;;) {
    const use: DockerFlag | undefined =
      command === undefined
        ? undefined
        : readUnitFlags(command).find(
            ({ flag, value }) => flag === 'exec-opt' && ![undefined, to].includes(driverOf(value) as CgroupDriver),
          );
    if (command === undefined || use === undefined) return steps;
    steps = joined([...steps, ...changeFlag(planned, command, use, `${DRIVER_OPTION}=${to}`)]);
    planned = new PlannedTree(tree, steps);
    command = readServiceCommand(planned, command.unit, command.user === undefined ? {} : { user: command.user });
  }
}

/** Two steps for one file as one. */
function joined(steps: readonly Step[]): readonly Step[] {
  const files = new Map<string, Step>();
  for (const step of steps) {
    if (step.kind !== 'file') continue;
    const earlier = files.get(step.target);
    files.set(step.target, earlier?.kind === 'file' ? { ...step, before: earlier.before } : step);
  }
  return [...files.values()];
}

/** The next start as it would be after the changes. */
export function nextAfter({ tree, start }: DockerFacts, files: readonly Step[]): NextStart {
  const planned = new PlannedTree(tree, files);
  const { command } = start;
  if (command === undefined) return readNextStart({ ...start, tree: planned });
  const after = readServiceCommand(planned, command.unit, command.user === undefined ? {} : { user: command.user });
  return readNextStart({
    ...start,
    tree: planned,
    command: after,
    flags: after === undefined ? [] : readUnitFlags(after),
  });
}

/** Refuses changes after which Docker would not start as asked, whatever the reason. */
function proven(facts: DockerFacts, { to }: AlignRequest, changes: FileChanges): FileChanges {
  const { configured, findings } = nextAfter(facts, changes.files);
  if (configured.driver === to) return { ...changes, notes: [...changes.notes, ...brokenBefore(facts, changes)] };
  const stop = findings.find(({ severity }) => severity === 'error');
  const place = stop?.path === undefined ? '' : `${stop.path}${stop.line === undefined ? '' : `:${stop.line}`}: `;
  const reason =
    stop === undefined ? `the next start of Docker would still not be with ${to}` : `${place}${stop.message}`;
  return {
    files: [],
    refusals: [{ reason, ...(stop?.hint !== undefined && { hint: stop.hint }), fault: true }],
    notes: changes.notes,
  };
}

/** An undo brings the old files back, and restarts what runs with them. */
function brokenBefore({ next, run }: DockerFacts, { files }: FileChanges): readonly PlanNote[] {
  if (next.configured.driver !== undefined || !run.isRunning || files.length === 0) return [];
  const text =
    'with the files as they are Docker does not start again, so that slicectl undo would bring back a Docker that is down';
  return [{ severity: 'warning', text }];
}

function fromDefault({ next }: DockerFacts): PlanNote {
  const { driver, source } = next.configured;
  return {
    severity: 'info',
    text: `Docker's driver is ${driver} by default and written nowhere (${source.text}); "exec-opts": ["${DRIVER_OPTION}=${driver}"] in ${next.file.path} would keep it through upgrades`,
  };
}
