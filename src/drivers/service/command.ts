import { posix } from 'node:path';
import { positionAt } from '../../core/config-text.ts';
import { expandVariables } from '../../core/exec-line.ts';
import type { Traced } from '../../core/traced.ts';
import type { RootTree } from '../../host/root-tree.ts';
import { findUnitFiles, type UnitUser } from '../../host/unit-files.ts';
import type { Finding, Source } from '../model.ts';
import { type Chosen, readServiceFiles, type ServiceFiles, type Setting, type SetVariable } from './files.ts';

/** One word of a command line as the program gets it, and where it is written. */
export interface Word {
  readonly text: string;
  readonly source: Source;
  /** Where each of its characters is written; a specifier's or another program's cannot be edited. */
  readonly traced: Traced;
}

/** A variable of the service's environment. */
export interface Variable {
  readonly value: string;
  readonly source: Source;
  readonly traced: Traced;
  /** The `Environment=`, or undefined where a file of `EnvironmentFile=` sets it. */
  readonly setting: Setting | undefined;
  /** Its word of that `Environment=`, as offsets into the assignment's value. */
  readonly word: { readonly start: number; readonly end: number } | undefined;
}

/** What systemd would start next for a service, by its files. */
export interface ServiceCommand {
  /** The unit's own name; the one that was asked for can be an alias. */
  readonly unit: string;
  /** Undefined where the unit is masked. */
  readonly fragment: string | undefined;
  readonly masked: boolean;
  /** In the order in which they are applied. */
  readonly dropIns: readonly string[];
  /** The program as systemd runs it: `words[0]` is another text only with the prefix `@`. Undefined without a command. */
  readonly program: Word | undefined;
  /** argv, variables expanded. Empty where nothing can be started. */
  readonly words: readonly Word[];
  /** `@`, `-`, `:`, `+`, `!`, `|` before the program. */
  readonly prefixes: string;
  /** The `ExecStart=` that counts. */
  readonly execStart: Chosen | undefined;
  readonly environment: ReadonlyMap<string, Variable>;
  /** Variables that `ExecStart=` uses and nothing sets, which is usual: they stand for no word. */
  readonly unset: readonly string[];
  /** Files of `EnvironmentFile=` that were read, in order. */
  readonly environmentFiles: readonly string[];
  /** The program is a shell with a script: what words the runtime gets cannot be known exactly. */
  readonly wrapper: boolean;
  /** What was read, by path: the texts that the positions are in. */
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: readonly Finding[];
  readonly user?: UnitUser;
}

export interface ServiceOptions {
  /** The manager of this user instead of PID 1. */
  readonly user?: UnitUser;
}

const SHELLS = /^(?:ba|da|a|k|z|mk|busybox-)?sh$/;

/**
 * The command line of a service's next start, from the files that systemd would read, or undefined where the tree has no
 * such unit. Faults are among its problems; only a folder or file that cannot be read at all is `E_FILE`.
 */
export function readServiceCommand(
  tree: RootTree,
  unit: string,
  { user }: ServiceOptions = {},
): ServiceCommand | undefined {
  const found = findUnitFiles(tree, unit, user);
  if (found === undefined) return undefined;
  const files = readServiceFiles(tree, found, user);
  const problems = [...files.problems];
  const environment = new Map(
    [...files.environment].map(([name, variable]) => [name, toVariable(files, name, variable)]),
  );
  const chosen = files.commands.at(-1);
  const values = new Map([...environment].map(([name, { traced }]) => [name, traced]));
  const raw = chosen?.command.words ?? [];
  const expanded = chosen?.command.prefixes.includes(':')
    ? { words: raw, unset: [], dropped: [] }
    : expandVariables(raw, values);
  const at = chosen && { path: chosen.path, line: chosen.assignment.firstLine };
  for (const word of expanded.dropped) {
    problems.push({
      severity: 'warning',
      code: 'service-word-dropped',
      message: `systemd drops the word ${JSON.stringify(word)} of ExecStart=: it begins with "$" and is no variable`,
      hint: `write \${NAME} where it is a part of a word`,
      ...at,
    });
  }
  for (const name of expanded.unset.filter((taken) => files.unset.includes(taken))) {
    problems.push({
      severity: 'warning',
      code: 'service-unset-environment',
      message: `UnsetEnvironment= takes $${name} away, which a recent systemd (seen in 262) puts into ExecStart= all the same`,
      ...at,
    });
  }
  if (chosen?.command.program.text.startsWith('$')) {
    problems.push({
      severity: 'error',
      code: 'service-program-variable',
      message: `${found.id} does not start: systemd puts no variable in for the program of ExecStart=`,
      ...at,
    });
  }
  const toWord = (traced: Traced): Word => ({
    text: traced.text,
    traced,
    source: sourceOf(files, environment, traced, chosen),
  });
  const words = expanded.words.map(toWord);
  const program = chosen && toWord(chosen.command.program);
  const wrapper = isWrapper(program?.text, words, chosen?.command.prefixes ?? '');
  if (wrapper) {
    problems.push({
      severity: 'warning',
      code: 'service-wrapper',
      message: `${found.id} starts a shell with a script, so that the words the program gets cannot be known exactly`,
      hint: 'look at the command line of the running process',
      ...at,
    });
  }
  return {
    unit: found.id,
    fragment: found.fragment,
    masked: found.maskedBy !== undefined,
    dropIns: found.dropIns,
    program,
    words,
    prefixes: chosen?.command.prefixes ?? '',
    execStart: chosen,
    environment,
    unset: expanded.unset,
    environmentFiles: files.environmentFiles,
    wrapper,
    texts: files.texts,
    problems,
    ...(user && { user }),
  };
}

function isWrapper(program: string | undefined, words: readonly Word[], prefixes: string): boolean {
  if (program === undefined) return false;
  if (prefixes.includes('|')) return true;
  const isShell = SHELLS.test(posix.basename(program));
  return isShell && words.slice(1).some(({ text }) => /^-[a-z]*c$/.test(text));
}

function toVariable(files: ServiceFiles, name: string, { value, setting, path, line, word }: SetVariable): Variable {
  const where = setting === undefined ? `${name} in EnvironmentFile= ${path}` : `${name} in Environment=`;
  const first = value.from[0];
  const at = first === undefined ? { line } : positionAt(files.texts.get(first.file) ?? '', first.start);
  return { value: value.text, traced: value, setting, word, source: { kind: 'environment', path, ...at, text: where } };
}

function sourceOf(
  files: ServiceFiles,
  environment: ReadonlyMap<string, Variable>,
  word: Traced,
  chosen: Chosen | undefined,
): Source {
  const first = word.from[0];
  if (chosen === undefined || first === undefined) {
    const line = chosen && { path: chosen.path, line: chosen.assignment.firstLine };
    return { kind: 'flag', ...line, text: 'ExecStart=' };
  }
  const at = { path: first.file, ...positionAt(files.texts.get(first.file) ?? '', first.start) };
  const isOwn =
    first.file === chosen.path && first.start >= chosen.assignment.start && first.end <= chosen.assignment.end;
  if (isOwn) return { kind: 'flag', ...at, text: 'ExecStart=' };
  const variable = [...environment].find(([, { traced }]) =>
    traced.from.some(({ file, start }) => file === first.file && start === first.start),
  );
  return { kind: 'environment', ...at, text: variable?.[1].source.text ?? 'ExecStart=' };
}
