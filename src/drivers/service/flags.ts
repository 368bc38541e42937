import type { Source } from '../model.ts';
import type { ServiceCommand, Word } from './command.ts';

/** One use of an option on a command line. */
export interface FlagUse {
  /** As it is written there: `--exec-opt`. */
  readonly name: string;
  /** Empty where the line ends before it. */
  readonly value: string;
  /** Where the value is written; of an empty one, where the option is. */
  readonly source: Source;
  /** Indices of its one or two words. */
  readonly words: readonly number[];
  /** Set for what a cautious look into a shell's script finds: it may not be what the program gets, and is not edited. */
  readonly uncertain?: true;
}

/**
 * Uses of options, in order: `--name VALUE`, `--name=VALUE`, and for one letter `-n VALUE`, `-nVALUE`, `-n=VALUE`. Words
 * after a lone `--` are none. Of a shell's script, what looks like them.
 */
export function findFlags(command: ServiceCommand, names: readonly string[]): readonly FlagUse[] {
  const { words } = command;
  if (!command.wrapper)
    return search(words.slice(1), names).map((use) => ({ ...use, words: use.words.map((at) => at + 1) }));
  const script = words.findLastIndex(({ text }) => /\s/.test(text));
  const text = words[script];
  if (text === undefined) return [];
  const inner = scriptWords(text, command);
  return search(inner, names).map((use) => ({ ...use, words: [script], uncertain: true }));
}

function search(words: readonly Word[], names: readonly string[]): FlagUse[] {
  const uses: FlagUse[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === undefined || word.text === '--') break;
    const next = words[at + 1];
    const name = names.find((known) => word.text === known);
    if (name !== undefined) {
      const value = next?.text ?? '';
      uses.push({ name, value, source: (next ?? word).source, words: next ? [at, at + 1] : [at] });
      at += 1;
      continue;
    }
    const joined = joinedValue(word.text, names);
    if (joined) uses.push({ ...joined, source: word.source, words: [at] });
  }
  return uses;
}

function joinedValue(text: string, names: readonly string[]): { name: string; value: string } | undefined {
  for (const name of names) {
    if (text.startsWith(`${name}=`)) return { name, value: text.slice(name.length + 1) };
    if (/^-[^-]$/.test(name) && text.startsWith(name)) return { name, value: text.slice(name.length) };
  }
  return undefined;
}

/** Words of a script, as far as blanks and plain variables tell. */
function scriptWords({ text, source }: Word, { environment }: ServiceCommand): Word[] {
  const plain = (part: string): Word => ({
    text: part.replace(/^["']|["']$/g, ''),
    source,
    traced: { text: '', from: [] },
  });
  return text.split(/[\s;|&()]+/).flatMap((part) => {
    const name = /^"?\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?"?$/.exec(part)?.[1];
    const variable = name === undefined ? undefined : environment.get(name);
    if (variable === undefined) return part === '' ? [] : [plain(part)];
    return variable.value
      .split(/\s+/)
      .flatMap((word) => (word === '' ? [] : [{ ...plain(word), source: variable.source }]));
  });
}
