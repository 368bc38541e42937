import type { FileState, PlanNote, Refusal, Step } from '../../change/plan.ts';
import { type ConfigText, encodeConfig } from '../../core/config-text.ts';
import { setToml } from '../formats/toml.ts';
import type { AlignRequest, CgroupDriver, RuntimePlan, RuntimeStatus } from '../model.ts';
import { CRI_SECTIONS, CRI_V1, CRI_V2, CRI_V3, isVersion2, sectionsThatCount } from './dialect.ts';
import { type ContainerdFacts, UNIT } from './facts.ts';
import { criFaults, startFaults } from './findings.ts';
import type { ConfigFile } from './load.ts';
import { cureFor, headerOf, titleOf } from './mentions.ts';
import { isLinuxShim, pluginSwitch, RUNC_TYPE, type RuntimeTable, SWITCH } from './runtime-tables.ts';
import { findTable } from './tree.ts';

/** One value to write. */
interface Edit {
  readonly path: string;
  readonly keys: readonly string[];
  readonly value: string | boolean;
}

/** Findings of severity error that a plan can put right. */
const MENDED = ['containerd-systemd-cgroup'];
const DRAINED = '--drained';

/**
 * containerd's share: the switch of every runtime that has another driver, written where the value is that counts now,
 * else where the runtime's table is, else in the main file. Where the files are right and the daemon has not read them
 * yet, only a restart.
 */
export function planContainerd(
  facts: ContainerdFacts,
  request: AlignRequest,
  others: readonly RuntimeStatus[],
): RuntimePlan {
  if (facts.disabledAt !== undefined) return planOf({ notes: [switchedOffNote(facts)] });
  const refusals = refusalsOf(facts, request.to);
  if (refusals.length > 0) return planOf({ refusals });
  const edits = editsFor(facts, request.to);
  const files = fileSteps(facts, edits, request.to);
  const isStale = [...(facts.running?.drivers ?? [])].some(
    ([name, driver]) => driver !== request.to && facts.runtimes?.some((runtime) => runtime.name === name),
  );
  if (files.length === 0 && !isStale) return planOf({});
  const isActive = facts.running?.loaded?.activeState === 'active';
  return planOf({
    files,
    after: isActive ? restart(facts, request.to) : [],
    refusals: podRefusals(facts),
    notes: notesFor(facts, others, isActive),
  });
}

function planOf(parts: Partial<RuntimePlan>): RuntimePlan {
  const nothing = { files: [], before: [], after: [], refusals: [], notes: [] };
  return { runtime: 'containerd', instance: '', reload: false, ...nothing, ...parts };
}

/** Why no edit would be known to be right. */
function refusalsOf(facts: ContainerdFacts, to: CgroupDriver): readonly Refusal[] {
  const { version, main, config, runtimes = [] } = facts;
  if (version === undefined) {
    return [
      {
        reason: 'it is not known which containerd this is, and its versions read the same file differently',
        hint: 'say it with --assume containerd=1.7.24',
      },
    ];
  }
  if (main.isUncertain) {
    return [
      {
        reason: `${UNIT} starts containerd through a shell, so that its configuration file is not known for sure`,
        hint: 'let ExecStart= name the program and its --config itself',
      },
    ];
  }
  const fatal = [...startFaults(facts), ...criFaults(facts)].filter(({ code }) => !MENDED.includes(code));
  if (fatal.length > 0) {
    return fatal.map(({ message, hint, path, line, column }) => ({
      reason: `${line === undefined || message.includes(`${path}:${line}`) ? '' : `${path}:${line}:${column}: `}${message}`,
      ...(hint !== undefined && { hint }),
      fault: true,
    }));
  }
  // systemd_cgroup is theirs where they have no options, but for another default it stops the plugin.
  const shims = runtimes.filter(
    (runtime) => isLinuxShim(runtime) && runtime.driver !== to && !runtime.hasOptions && !runtimes.some(isDefaultShim),
  );
  const wrongSection = wrongSectionRefusal(config.files, facts, to);
  return [
    ...shims.map(({ name, type }) => ({
      reason: `the runtime ${name} has the old shim ${type} and no options, and systemd_cgroup would stop the CRI plugin`,
      hint: `set its runtime_type to ${RUNC_TYPE} first`,
    })),
    ...(wrongSection === undefined ? [] : [wrongSection]),
  ];
}

/** A file whose CRI section this version passes over is not what its author thinks it is: no second one goes beside it. */
function wrongSectionRefusal(
  files: readonly ConfigFile[],
  facts: ContainerdFacts,
  to: CgroupDriver,
): Refusal | undefined {
  const edited = new Set(editsFor(facts, to).map(({ path }) => path));
  for (const file of files.filter(({ path }) => edited.has(path))) {
    const dead = deadSection(file, facts);
    if (dead === undefined) continue;
    return {
      reason: `${file.path} is a file ${headerOf(file)} with ${titleOf(dead)}, which containerd ${facts.version} does not read: all of that section does nothing`,
      hint: cureFor(file, dead, facts.dialect),
    };
  }
  return undefined;
}

/** The section of a file that counts for nothing, where none beside it counts. */
function deadSection(file: ConfigFile, { dialect, config }: ContainerdFacts): string | undefined {
  const counts = sectionsThatCount(dialect, file.header, config.version);
  const has = (...keys: readonly string[]): boolean => findTable(file.tree, ['plugins', ...keys]) !== undefined;
  if (counts.some((section) => has(section, 'containerd'))) return undefined;
  // 2.x reads the server's settings, not the runtimes, from the section of version 2 whatever the number.
  const isServerOnly = (section: string): boolean =>
    isVersion2(dialect) && section === CRI_V2 && !has(section, 'containerd');
  return CRI_SECTIONS.find((section) => has(section) && !counts.includes(section) && !isServerOnly(section));
}

function editsFor(facts: ContainerdFacts, to: CgroupDriver): readonly Edit[] {
  const { config, runtimes = [], dialect } = facts;
  const forAll = pluginSwitch(config.cri);
  const isDeadly = forAll?.value === true && !isVersion2(dialect) && !runtimes.some(isLinuxShim);
  const mended = isDeadly ? [{ path: forAll.at.path, keys: forAll.at.keys, value: false }] : [];
  return [...mended, ...runtimes.flatMap((runtime) => switchEdits(facts, runtime, to))];
}

function switchEdits(facts: ContainerdFacts, runtime: RuntimeTable, to: CgroupDriver): readonly Edit[] {
  if (runtime.driver === to) return [];
  const value = to === 'systemd';
  const { decider, table, name } = runtime;
  if (decider !== undefined) return [{ path: decider.at.path, keys: decider.at.keys, value }];
  if (isLinuxShim(runtime) && !runtime.hasOptions) return shimEdits(facts, value);
  if (table !== undefined) return [{ path: table.at.path, keys: [...table.at.keys, 'options', SWITCH], value }];
  const { path, keys } = placeForNew(facts, name);
  // 1.x takes a file's runtimes for all there are: without a type the runtime would have none.
  const type = isVersion2(facts.dialect) ? [] : [{ path, keys: [...keys, 'runtime_type'], value: RUNC_TYPE }];
  return [...type, { path, keys: [...keys, 'options', SWITCH], value }];
}

function isDefaultShim(runtime: RuntimeTable): boolean {
  return runtime.isDefault && isLinuxShim(runtime);
}

/** Of a v1 shim without options the plugin's own switch decides (generateRuntimeOptions of 1.x). */
function shimEdits({ config: { cri } }: ContainerdFacts, value: boolean): readonly Edit[] {
  return cri === undefined ? [] : [{ path: cri.at.path, keys: [...cri.at.keys, 'systemd_cgroup'], value }];
}

/** Where the built-in runtime that no file mentions goes: beside the other runtimes, or into the main file. */
function placeForNew(facts: ContainerdFacts, name: string): { path: string; keys: readonly string[] } {
  const { config, main } = facts;
  const runtimes = findTable(config.cri, ['containerd', 'runtimes']);
  if (runtimes !== undefined) return { path: runtimes.at.path, keys: [...runtimes.at.keys, name] };
  // On 1.x the file whose section counts need not be the main one.
  const path = config.cri !== undefined && !isVersion2(facts.dialect) ? config.cri.at.path : main.path;
  const file = config.files.find((each) => each.path === path);
  return { path, keys: ['plugins', sectionFor(facts, file), 'containerd', 'runtimes', name] };
}

function sectionFor({ dialect, config }: ContainerdFacts, file: ConfigFile | undefined): string {
  if (file === undefined) return isVersion2(dialect) ? CRI_V3 : CRI_V2;
  const counts = sectionsThatCount(dialect, file.header, config.version);
  const present = counts.find((section) => findTable(file.tree, ['plugins', section]) !== undefined);
  const usual = file.header <= 1 ? CRI_V1 : file.header === 2 ? CRI_V2 : CRI_V3;
  return present ?? (counts.includes(usual) ? usual : (counts[0] ?? CRI_V3));
}

function fileSteps(facts: ContainerdFacts, edits: readonly Edit[], to: CgroupDriver): readonly Step[] {
  const paths = [...new Set(edits.map(({ path }) => path))];
  return paths.map((path): Step => {
    const own = edits.filter((edit) => edit.path === path);
    const file = facts.config.files.find((each) => each.path === path);
    const before: FileState = file?.state ?? { exists: false };
    const text: ConfigText = file?.text ?? { text: newFile(facts), bom: false };
    const after = own.reduce((now, { keys, value }) => setToml(now, keys, value, path), text.text);
    const bytes = encodeConfig({ ...text, text: after });
    const owner = before.exists ? before : { mode: 0o644, ...facts.owner };
    return {
      kind: 'file',
      path,
      target: file?.target ?? facts.target,
      before,
      after: { exists: true, bytes, mode: owner.mode, uid: owner.uid, gid: owner.gid },
      purpose: `containerd's cgroup driver: ${to}`,
    };
  });
}

/** The least that makes a configuration; all that it does not say stays at its default. */
function newFile({ dialect }: ContainerdFacts): string {
  return `version = ${isVersion2(dialect) ? 3 : 2}\n`;
}

function restart({ runtimes = [], running }: ContainerdFacts, to: CgroupDriver): readonly Step[] {
  const unit = running?.loaded?.id ?? UNIT;
  const expect = Object.fromEntries(runtimes.map(({ name }) => [name, to]));
  const before = runtimes.flatMap(({ name, driver }) => (driver === undefined ? [] : [[name, driver] as const]));
  return [
    {
      kind: 'unit',
      manager: 'system',
      unit,
      verb: 'restart',
      reset: [unit],
      purpose: 'containerd reads its configuration at its start only',
    },
    {
      kind: 'check',
      check: 'containerd-driver',
      expect,
      expectBefore: Object.fromEntries(before),
      purpose: `containerd answers, and gives ${runtimes.map(({ name }) => name).join(', ')} the driver ${to}`,
      purposeBefore: 'containerd answers, and each runtime has the driver that it had',
    },
  ];
}

function podRefusals({ running }: ContainerdFacts): readonly Refusal[] {
  const pods = running?.pods ?? [];
  if (pods.length === 0) return [];
  const some = pods.slice(0, 3).join(', ');
  const names = pods.length > 3 ? `${some} and ${pods.length - 3} more` : some;
  return [
    {
      reason: `${pods.length} ${pods.length === 1 ? 'pod runs' : 'pods run'} on this node, made with the other driver: ${names}`,
      hint: 'drain the node first (kubectl drain NODE --ignore-daemonsets)',
      override: DRAINED,
    },
  ];
}

function notesFor(facts: ContainerdFacts, others: readonly RuntimeStatus[], isActive: boolean): readonly PlanNote[] {
  const { running } = facts;
  const pods = running?.pods ?? [];
  const notes: PlanNote[] = [];
  if (isActive) {
    notes.push({ severity: 'impact', text: 'containerd restarts; containers go on running, their shims hold them' });
  } else if (running !== undefined) {
    const text =
      running.drivers === undefined
        ? `${UNIT} is not running, so it is not restarted: its next start reads the change`
        : 'containerd runs, but not as a unit that systemd tells of: restart it yourself, it reads the change at its start';
    notes.push({ severity: running.drivers === undefined ? 'info' : 'warning', text });
  }
  if (pods.length > 0) {
    notes.push({
      severity: 'impact',
      text: 'pods keep the groups of the old driver until they are made again; old groups can stay until the next boot',
      items: pods,
    });
  }
  if (isActive && others.some(({ runtime, running: now }) => runtime === 'docker' && now !== undefined)) {
    notes.push({
      severity: 'impact',
      text: 'a Docker that uses this containerd answers no calls while it restarts; its containers go on running',
    });
  }
  if (!others.some(({ runtime }) => runtime === 'kubelet')) {
    notes.push({
      severity: 'info',
      text: 'this sets what containerd does for a kubelet, and none is on this host; containers of Docker and ctr do not go by it',
    });
  }
  return notes;
}

function switchedOffNote({ disabledAt }: ContainerdFacts): PlanNote {
  return {
    severity: 'info',
    text: `containerd's CRI plugin is disabled (${disabledAt?.path}:${disabledAt?.line}), so it has no driver of its own: nothing is changed`,
  };
}
