import {
  type CommandFacts,
  firstWords,
  NOTICE,
  type OptionFacts,
  PROPERTY_NAMES,
  type ProgramFacts,
} from './commands.ts';

const ACTIONS = {
  property: '_slicectl_properties',
  profile: '_slicectl_profiles',
  file: '_files',
  folder: '_files -/',
  user: '_users',
  group: '_groups',
  text: ' ',
} as const;

/** One specification of _arguments, quoted for the shell. */
function specification(option: OptionFacts): string {
  const text = option.help.replace(/[[\]]/g, '\\$&');
  const action =
    option.kind === 'words' ? `(${option.choices.join(' ')})` : ACTIONS[option.kind as keyof typeof ACTIONS];
  const value = option.placeholder === undefined ? '' : `:${option.placeholder.replaceAll(':', '\\:')}:${action}`;
  const isLast = option.names.includes('--help') || option.names.includes('--version');
  const exclusions = isLast ? '(- *)' : option.isRepeatable ? '*' : `(${option.names.join(' ')})`;
  const body = quoted(`[${text}]${value}`);
  if (option.names.length === 1) return `${quoted(exclusions)}${option.names[0]}${body}`;
  return `${quoted(exclusions)}{${option.names.join(',')}}${body}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function specifications(options: readonly OptionFacts[]): string {
  return options.map((option) => `        ${specification(option)} \\`).join('\n');
}

/** Gives the command that is to run, and its arguments, to their own completion. */
function jobWords(options: readonly OptionFacts[]): string {
  const takers = options.filter(({ placeholder }) => placeholder !== undefined).flatMap(({ names }) => names);
  return `      local -i i=2
      while ((i < CURRENT)); do
        case $words[i] in
          --) ((i++)); break ;;
          ${takers.join('|')}) ((i += 2)) ;;
          -*) ((i++)) ;;
          *) break ;;
        esac
      done
      if ((i < CURRENT)) || [[ $i -eq $CURRENT && ($words[i] != -* || $words[i-1] == --) ]]; then
        shift $((i - 1)) words
        ((CURRENT -= i - 1))
        _normal
        return
      fi
`;
}

function commandCase({ options }: CommandFacts, word: string): string {
  return `    ${word})
${word === 'run' ? jobWords(options) : ''}      _arguments -S -A '-*' \\
${specifications(options)}
        && return
      ;;`;
}

export function zshCompletion(program: ProgramFacts): string {
  const single = program.commands.filter(({ name }) => !name.includes(' '));
  const cases = [...single.map((command) => commandCase(command, command.name)), ...program.families.map(familyCase)];
  function familyCase({ name, members }: ProgramFacts['families'][number]): string {
    const own = program.commands.filter((command) => command.name.startsWith(`${name} `));
    const offers = own.map((command, index) => quoted(`${members[index]}:${command.description}`));
    return `    ${name})
      if ((CURRENT == 2)); then
        offers=(${offers.join(' ')})
        _describe command offers
        return
      fi
      shift words
      ((CURRENT--))
      case $words[1] in
${own.map((command, index) => commandCase(command, members[index] ?? '')).join('\n')}
      esac
      ;;`;
  }
  const offers = firstWords(program).map(([name, description]) => quoted(`${name}:${description}`));
  return `#compdef slicectl
# zsh completion for slicectl; ${NOTICE}

_slicectl_properties() {
  compadd -S = -- ${PROPERTY_NAMES.join(' ')}
}

_slicectl_profiles() {
  local -a names
  names=(\${XDG_CONFIG_HOME:-$HOME/.config}/slicectl/profiles/*.ini(N:t:r) /etc/slicectl/profiles/*.ini(N:t:r))
  _alternative 'profiles:profile:compadd -a names' 'files:file:_files -g "*.ini"'
}

_slicectl() {
  local curcontext=$curcontext state line
  local -A opt_args
  local -a offers
  offers=(${offers.join(' ')})
  _arguments -C -A '-*' \\
${specifications(program.options)}
        '1:command:->command' \\
        '*::argument:->argument' && return
  case $state in
    command) _describe command offers; return ;;
  esac
  case $words[1] in
${cases.join('\n')}
  esac
}

_slicectl "$@"
`;
}
