import type { Command, Option } from 'commander';
import { buildProgram } from '../../src/cli/program.ts';
import { PROPERTIES } from '../../src/core/properties/table.ts';

/** What a shell can offer for an option's value. */
export type ValueKind = 'property' | 'profile' | 'file' | 'folder' | 'user' | 'group' | 'words' | 'text';

/** One option of the command tree. */
export interface OptionFacts {
  /** As it is written: the short form first, where there is one. */
  readonly names: readonly string[];
  /** Undefined for an option without a value. */
  readonly placeholder: string | undefined;
  readonly help: string;
  readonly group: string;
  readonly kind: ValueKind;
  readonly choices: readonly string[];
  readonly isRepeatable: boolean;
}

export interface CommandFacts {
  readonly name: string;
  readonly description: string;
  readonly usage: string;
  readonly options: readonly OptionFacts[];
}

/** The program itself and its commands, as commander has them. */
export interface ProgramFacts extends CommandFacts {
  readonly commands: readonly CommandFacts[];
}

const KINDS: Readonly<Record<string, ValueKind>> = {
  '--property': 'property',
  '--profile': 'profile',
  '--receipt-file': 'file',
  '--working-directory': 'folder',
  '--uid': 'user',
  '--gid': 'group',
};

/** Reads the same tree that parses the command line. */
export function readCommands(): ProgramFacts {
  const program = buildProgram(() => undefined);
  return { ...factsOf(program), commands: program.commands.map(factsOf) };
}

function factsOf(command: Command): CommandFacts {
  return {
    name: command.name(),
    description: command.description(),
    usage: command.usage(),
    options: command.createHelp().visibleOptions(command).map(optionOf),
  };
}

function optionOf(option: Option): OptionFacts {
  const choices = option.argChoices ?? [];
  const takesValue = option.required || option.optional;
  const kind = choices.length > 0 ? 'words' : (KINDS[option.long ?? ''] ?? 'text');
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    placeholder: takesValue ? /<([^>]+)>/.exec(option.flags)?.[1] : undefined,
    help: option.description,
    group: (option.helpGroupHeading ?? 'Options:').replace(/:$/, ''),
    kind,
    choices,
    isRepeatable: /may be repeated/.test(option.description),
  };
}

/** The names that follow -p. */
export const PROPERTY_NAMES: readonly string[] = PROPERTIES.map(({ name }) => name);

/** The first line of a generated script. */
export const NOTICE = 'made by `npm run generate` from the command tree and the property table; do not edit';

/** A command of the tree. */
export function commandNamed({ commands }: ProgramFacts, name: string): CommandFacts {
  const found = commands.find((command) => command.name === name);
  if (!found) throw new Error(`there is no command ${name}`);
  return found;
}
