import type { Source } from '../model.ts';
import type { ServiceCommand } from '../service/command.ts';
import { type FlagUse, findFlags } from '../service/flags.ts';
import { DIRECTIVES, type Directive } from './directives.ts';

/** One use of an option of dockerd. */
export interface DockerFlag extends FlagUse {
  /** The options' long name, without dashes. */
  readonly flag: string;
}

/** The options with which dockerd would be started by a unit. */
export function readUnitFlags(command: ServiceCommand): readonly DockerFlag[] {
  if (!command.wrapper)
    return readFlags(command.words.slice(1)).map((use) => ({ ...use, words: use.words.map((at) => at + 1) }));
  // Options without a value cannot be told from a cautious look into a script: the next word would pass for one.
  return DIRECTIVES.filter(({ isSwitch }) => !isSwitch).flatMap(({ flag, letter }) =>
    flag === undefined
      ? []
      : findFlags(command, [`--${flag}`, ...(letter === undefined ? [] : [`-${letter}`])]).map((use) => ({
          ...use,
          flag,
        })),
  );
}

/** The options of a running dockerd. */
export function readProcessFlags(argv: readonly string[], pid: number): readonly DockerFlag[] {
  const source: Source = { kind: 'flag', text: `command line of process ${pid}` };
  return readFlags(argv.slice(1).map((text) => ({ text, source })));
}

interface Text {
  readonly text: string;
  readonly source: Source;
}

/**
 * As pflag reads them: `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`, `-n=VALUE`, several letters in one word; a
 * switch takes a value only after `=`.
 */
function readFlags(words: readonly Text[]): DockerFlag[] {
  const uses: DockerFlag[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === undefined || word.text === '--') break;
    const { text, source } = word;
    if (!text.startsWith('-') || text === '-') continue;
    const found = text.startsWith('--') ? long(text) : short(text);
    for (const { row, name, value } of found) {
      const flag = row.flag ?? row.key;
      if (value !== undefined || row.isSwitch) {
        uses.push({ flag, name, value: value ?? 'true', source, words: [at] });
        continue;
      }
      const next = words[at + 1];
      uses.push({
        flag,
        name,
        value: next?.text ?? '',
        source: (next ?? word).source,
        words: next ? [at, at + 1] : [at],
      });
      at += 1;
    }
  }
  return uses;
}

interface Found {
  readonly row: Directive;
  readonly name: string;
  readonly value: string | undefined;
}

function long(text: string): Found[] {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const row = DIRECTIVES.find(({ flag }) => flag === name.slice(2));
  return row ? [{ row, name, value: equals < 0 ? undefined : text.slice(equals + 1) }] : [];
}

function short(text: string): Found[] {
  const found: Found[] = [];
  for (let at = 1; at < text.length; at += 1) {
    const row = DIRECTIVES.find(({ letter }) => letter === text[at]);
    if (!row) return found;
    const name = `-${text[at]}`;
    const rest = text.slice(at + 1);
    if (rest.startsWith('=')) return [...found, { row, name, value: rest.slice(1) }];
    if (!row.isSwitch) return [...found, { row, name, value: rest === '' ? undefined : rest }];
    found.push({ row, name, value: undefined });
  }
  return found;
}

/** The value of an option that is used once or whose last use counts. */
export function flagValue(flags: readonly DockerFlag[], name: string): DockerFlag | undefined {
  return flags.findLast(({ flag }) => flag === name);
}
