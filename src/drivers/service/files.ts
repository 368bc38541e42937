import { nameFault, parseEnvironmentFile } from '../../core/environment-file.ts';
import { quote, SlicectlError } from '../../core/errors.ts';
import { type ExecCommand, splitExecLine } from '../../core/exec-line.ts';
import { extractWord } from '../../core/extract-word.ts';
import { expandSpecifiers, type SpecifierLookup } from '../../core/specifiers.ts';
import { sliceTraced, type Traced } from '../../core/traced.ts';
import { type Assignment, parseUnitFile, type TextProblem } from '../../core/unit-file.ts';
import { matchPaths } from '../../host/glob.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { specifiersOf } from '../../host/specifiers.ts';
import type { UnitFiles, UnitUser } from '../../host/unit-files.ts';
import type { Finding } from '../model.ts';

/** One assignment of a unit file or drop-in. */
export interface Setting {
  readonly path: string;
  readonly assignment: Assignment;
}

/** A command with the `ExecStart=` that holds it. */
export interface Chosen extends Setting {
  readonly command: ExecCommand;
}

export interface SetVariable {
  readonly value: Traced;
  readonly path: string;
  readonly line: number;
  /** Undefined for a variable of an environment file. */
  readonly setting: Setting | undefined;
  /** `NAME=value` as written in `Environment=`, quotes included: offsets into the assignment's value. */
  readonly word: { readonly start: number; readonly end: number } | undefined;
}

/** The settings of a service that make its command line. */
export interface ServiceFiles {
  /** More than one where the files have more than one command. */
  readonly commands: readonly Chosen[];
  /** Unset variables taken out; what systemd itself sets is not in it. */
  readonly environment: ReadonlyMap<string, SetVariable>;
  /** Variables that `UnsetEnvironment=` took out. */
  readonly unset: readonly string[];
  readonly environmentFiles: readonly string[];
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: readonly Finding[];
}

/** Settings of `[Service]` while the files are gone through. */
class Reading {
  readonly tree: RootTree;
  readonly unit: string;
  readonly lookup: SpecifierLookup;
  readonly texts = new Map<string, string>();
  readonly problems: Finding[] = [];
  readonly environmentFiles: string[] = [];
  commands: Chosen[] = [];
  environment = new Map<string, SetVariable>();
  patterns: { readonly pattern: string; readonly setting: Setting }[] = [];
  unset: string[] = [];
  type = '';

  constructor(tree: RootTree, unit: string, lookup: SpecifierLookup) {
    this.tree = tree;
    this.unit = unit;
    this.lookup = lookup;
  }

  problem(setting: Setting, severity: Finding['severity'], code: string, message: string, hint?: string): void {
    const { path, assignment } = setting;
    this.problems.push({ severity, code, message, ...(hint && { hint }), path, line: assignment.firstLine });
  }

  /** A file's text; bytes that are no UTF-8 become U+FFFD, and systemd's own rules say what then counts. */
  text(path: string): string | undefined {
    const found = this.tree.read(path);
    if (found === undefined) return undefined;
    const text = textOf(found.bytes);
    this.texts.set(path, text);
    return text;
  }
}

export function readServiceFiles(
  tree: RootTree,
  { id, fragment, maskedBy, dropIns }: UnitFiles,
  user?: UnitUser,
): ServiceFiles {
  const reading = new Reading(tree, id, specifiersOf(tree, id, fragment, user));
  if (maskedBy !== undefined) {
    reading.problems.push({
      severity: 'error',
      code: 'service-masked',
      message: `${id} is masked, so that systemd does not start it`,
      hint: `systemctl unmask ${id}`,
      path: maskedBy,
    });
  }
  const isLoaded = fragment === undefined || readUnitFile(reading, fragment, true);
  if (isLoaded) for (const dropIn of dropIns) readUnitFile(reading, dropIn, false);
  else reading.commands = [];
  if (reading.commands.length > 1 && reading.type !== 'oneshot') {
    const last = reading.commands.at(-1);
    if (last !== undefined) {
      const files = [...new Set(reading.commands.map(({ path }) => path))].join(' and ');
      reading.problem(
        last,
        'error',
        'service-several-commands',
        `systemd refuses ${id}: it has ${reading.commands.length} commands in ExecStart=, in ${files}`,
        'put an empty ExecStart= before the one that is to count',
      );
    }
  }
  if (reading.commands.length === 0 && maskedBy === undefined) {
    reading.problems.push({
      severity: 'error',
      code: 'service-no-command',
      message: `${id} has no ExecStart= that systemd would start`,
      ...(fragment !== undefined && { path: fragment }),
    });
  }
  readEnvironmentFiles(reading);
  const unset: string[] = [];
  for (const entry of reading.unset) {
    const [name = '', ...rest] = entry.split('=');
    const value = reading.environment.get(name)?.value.text;
    if (value === undefined || (rest.length > 0 && value !== rest.join('='))) continue;
    reading.environment.delete(name);
    unset.push(name);
  }
  const { commands, environment, environmentFiles, texts, problems } = reading;
  return { commands, environment, unset, environmentFiles, texts, problems };
}

/** A byte order mark stays: a unit file may begin with one, and in an environment file it belongs to the first name. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/**
 * Whether systemd read all of it. It refuses a unit whose fragment it cannot read to the end, and leaves out the rest of
 * such a drop-in.
 */
function readUnitFile(reading: Reading, path: string, isFragment: boolean): boolean {
  // A link to /dev/null masks a drop-in.
  const text = reading.tree.kind(path) === 'file' ? reading.text(path) : undefined;
  if (text === undefined) return true;
  const file = parseUnitFile(text, path);
  for (const problem of file.problems) {
    const severity = problem.severity === 'error' && !isFragment ? 'warning' : problem.severity;
    reading.problems.push({ ...problem, severity, path });
  }
  const isWhole = file.assignments
    .filter(({ section }) => section === 'Service')
    .every((assignment) => take(reading, { path, assignment }));
  return isWhole && !file.broken;
}

/** Whether systemd reads on in the file. */
function take(reading: Reading, setting: Setting): boolean {
  const { key, value } = setting.assignment;
  switch (key) {
    case 'Type':
      reading.type = value.text;
      return true;
    case 'ExecStart':
      return takeExecStart(reading, setting);
    case 'Environment':
      if (value.text === '') dropSettings(reading);
      else takeEnvironment(reading, setting);
      return true;
    case 'EnvironmentFile':
      if (value.text === '') reading.patterns = [];
      else takeEnvironmentFile(reading, setting);
      return true;
    case 'UnsetEnvironment':
      if (value.text === '') reading.unset = [];
      else reading.unset.push(...wordsOf(reading, setting).map(({ word }) => word.text));
      return true;
    default:
      return true;
  }
}

function dropSettings(reading: Reading): void {
  reading.environment = new Map();
}

function takeExecStart(reading: Reading, setting: Setting): boolean {
  const { value } = setting.assignment;
  if (value.text === '') {
    reading.commands = [];
    return true;
  }
  const line = splitExecLine(value, reading.lookup);
  reading.commands.push(...line.commands.map((command) => ({ ...setting, command })));
  if (line.unknownEscapes) {
    reading.problem(
      setting,
      'warning',
      'service-unknown-escape',
      'ExecStart= has escapes that systemd does not know and leaves as written',
    );
  }
  if (line.ignored !== undefined) {
    reading.problem(setting, 'warning', 'service-ignored-command', `systemd ignores this ExecStart=: ${line.ignored}`);
  }
  noteSpecifiers(reading, setting, line.unansweredSpecifiers);
  if (line.fault === undefined) return true;
  reading.problem(setting, 'error', 'service-bad-command', `systemd refuses this ExecStart=: ${line.fault}`);
  return false;
}

function noteSpecifiers(reading: Reading, setting: Setting, unanswered: readonly string[]): void {
  for (const letter of unanswered) {
    reading.problem(
      setting,
      'warning',
      'service-specifier',
      `what %${letter} stands for is known only to the running systemd`,
    );
  }
}

function wordsOf(reading: Reading, setting: Setting) {
  const { value, key } = setting.assignment;
  const words: { readonly word: Traced; readonly start: number; readonly end: number }[] = [];
  for (let at = 0; ; ) {
    const found = extractWord(value, at, { cEscapes: true });
    if (found === 'invalid') {
      const what = 'from an open quote or an unknown escape on';
      reading.problem(setting, 'warning', 'service-bad-words', `systemd ignores this ${key}= ${what}`);
      return words;
    }
    if (found === 'end') return words;
    at = found.next;
    const { value: word, unknown, unanswered } = expandSpecifiers(found.word, reading.lookup);
    noteSpecifiers(reading, setting, unanswered);
    if (unknown === undefined) words.push({ word, start: found.start, end: found.end });
    else {
      const message = `systemd ignores a word of ${key}=: there is no specifier %${unknown}`;
      reading.problem(setting, 'warning', 'service-bad-environment', message, 'write %% for a percent sign');
    }
  }
}

function takeEnvironment(reading: Reading, setting: Setting): void {
  const { path, assignment } = setting;
  for (const { word, start, end } of wordsOf(reading, setting)) {
    const equals = word.text.indexOf('=');
    const name = word.text.slice(0, Math.max(0, equals));
    const fault = equals < 0 ? `${quote(word.text)} has no "="` : nameFault(name);
    if (fault !== undefined) {
      reading.problem(
        setting,
        'warning',
        'service-bad-environment',
        `systemd ignores a word of Environment=: ${fault}`,
      );
      continue;
    }
    reading.environment.set(name, {
      value: sliceTraced(word, equals + 1),
      path,
      line: assignment.firstLine,
      setting,
      word: { start, end },
    });
  }
}

function takeEnvironmentFile(reading: Reading, setting: Setting): void {
  const { value, unknown, unanswered } = expandSpecifiers(setting.assignment.value, reading.lookup);
  noteSpecifiers(reading, setting, unanswered);
  if (unknown !== undefined) {
    const message = `systemd ignores EnvironmentFile=${setting.assignment.value.text}: there is no specifier %${unknown}`;
    reading.problem(setting, 'warning', 'service-environment-file', message, 'write %% for a percent sign');
    return;
  }
  if (!/^-?\//.test(value.text)) {
    reading.problem(
      setting,
      'warning',
      'service-relative-environment-file',
      `systemd ignores EnvironmentFile=${value.text}, since it is no absolute path`,
    );
    return;
  }
  reading.patterns.push({ pattern: value.text, setting });
}

/** Variables of files beat those of `Environment=`, and later files earlier ones (exec_context_load_environment). */
function readEnvironmentFiles(reading: Reading): void {
  for (const { pattern, setting } of reading.patterns) {
    const isOptional = pattern.startsWith('-');
    const paths = matchPaths(reading.tree, isOptional ? pattern.slice(1) : pattern);
    if (paths.length === 0 && !isOptional) {
      const message = `systemd does not start ${reading.unit}: there is no file ${pattern}`;
      reading.problem(
        setting,
        'error',
        'service-environment-file-missing',
        message,
        `make it, or write EnvironmentFile=-${pattern}`,
      );
    }
    for (const path of paths) readEnvironmentFile(reading, path, setting, isOptional);
  }
}

function readEnvironmentFile(reading: Reading, path: string, setting: Setting, isOptional: boolean): void {
  const refuse = (why: string): void => {
    const effect = isOptional ? `systemd ignores ${path}` : `systemd does not start ${reading.unit}`;
    reading.problem(setting, isOptional ? 'warning' : 'error', 'service-environment-file', `${effect}: ${why}`);
  };
  let text: string | undefined;
  try {
    text = reading.text(path);
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    refuse(error.message);
    return;
  }
  if (text === undefined) return;
  if (text.includes('\0')) {
    refuse(`${path} has a NUL in it`);
    return;
  }
  const file = parseEnvironmentFile(text, path);
  if (file.entries.some(({ value }) => value.text.includes('\ufffd'))) {
    refuse(`${path} is not UTF-8`);
    return;
  }
  reading.environmentFiles.push(path);
  const problems: readonly TextProblem[] = file.problems;
  reading.problems.push(...problems.map((problem) => ({ ...problem, path })));
  for (const { name, value, line } of file.entries) {
    reading.environment.set(name, { value, path, line, setting: undefined, word: undefined });
  }
}
