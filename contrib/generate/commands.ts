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
  /** As it is typed: `run`, `driver status`. */
  readonly name: string;
  readonly description: string;
  readonly usage: string;
  readonly options: readonly OptionFacts[];
}

/** The program itself and its commands, as commander has them. */
export interface ProgramFacts extends CommandFacts {
  /** Those that do something: `run`, `driver status`. */
  readonly commands: readonly CommandFacts[];
  /** Those that only have commands of their own: `driver`. */
  readonly families: readonly FamilyFacts[];
}

export interface FamilyFacts {
  readonly name: string;
  readonly description: string;
  /** Their own names: `status`. */
  readonly members: readonly string[];
}

const KINDS: Readonly<Record<string, ValueKind>> = {
  '--property': 'property',
  '--profile': 'profile',
  '--receipt-file': 'file',
  '--save': 'file',
  '--against': 'file',
  '--svg': 'file',
  '--working-directory': 'folder',
  '--root': 'folder',
  '--uid': 'user',
  '--gid': 'group',
};

/** Reads the same tree that parses the command line. */
export function readCommands(): ProgramFacts {
  const program = buildProgram(() => undefined);
  return {
    ...factsOf(program),
    commands: program.commands.flatMap((command) =>
      command.commands.length === 0
        ? [factsOf(command)]
        : command.commands.map((each) => factsOf(each, `${command.name()} ${each.name()}`)),
    ),
    families: program.commands
      .filter(({ commands }) => commands.length > 0)
      .map((command) => ({
        name: command.name(),
        description: command.description(),
        members: command.commands.map((each) => each.name()),
      })),
  };
}

function factsOf(command: Command, name = command.name()): CommandFacts {
  return {
    name,
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

/** The words that may follow `slicectl`, each with what it is for. */
export function firstWords({
  commands,
  families,
}: ProgramFacts): readonly (readonly [name: string, description: string])[] {
  const single = commands.filter(({ name }) => !name.includes(' '));
  return [...single, ...families].map(({ name, description }) => [name, description]);
}

/** One of each option that any command has. */
export function allOptions({ commands }: ProgramFacts): readonly OptionFacts[] {
  const options = commands.flatMap((command) => command.options);
  return options.filter((option, index) => options.findIndex((other) => sameNames(other, option)) === index);
}

const sameNames = (a: OptionFacts, b: OptionFacts): boolean => a.names.join() === b.names.join();

/** A command of the tree. */
export function commandNamed({ commands }: ProgramFacts, name: string): CommandFacts {
  const found = commands.find((command) => command.name === name);
  if (!found) throw new Error(`there is no command ${name}`);
  return found;
}
