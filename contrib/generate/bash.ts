import {
  allOptions,
  type CommandFacts,
  firstWords,
  NOTICE,
  type OptionFacts,
  PROPERTY_NAMES,
  type ProgramFacts,
} from './commands.ts';

/** Words that `compgen -W` may get as they stand. */
function words(list: readonly string[]): string {
  return `'${list.join(' ')}'`;
}

function pattern(options: readonly OptionFacts[]): string {
  return options.flatMap(({ names }) => names).join('|');
}

function namesOf({ options }: CommandFacts): string {
  return words(options.flatMap(({ names }) => names));
}

const ACTIONS = {
  property: '_slicectl_offer "$value" "$SLICECTL_PROPERTIES"; compopt -o nospace 2>/dev/null',
  profile:
    'if [[ $value == */* || $value == .* ]]; then _slicectl_files "$value" -f; else _slicectl_offer "$value" "$(_slicectl_profiles)"; fi',
  file: '_slicectl_files "$value" -f',
  folder: '_slicectl_files "$value" -d',
  user: 'mapfile -t COMPREPLY < <(compgen -u -- "$value")',
  group: 'mapfile -t COMPREPLY < <(compgen -g -- "$value")',
  text: ':',
} as const;

function valueCases(program: ProgramFacts): string {
  const lines = allOptions(program)
    .filter(({ placeholder, kind }) => placeholder !== undefined && kind !== 'text')
    .map((option) => {
      const action =
        option.kind === 'words' ? `_slicectl_offer "$value" ${words(option.choices)}` : ACTIONS[option.kind];
      return `    ${pattern([option])}) ${action} ;;`;
    });
  return lines.join('\n');
}

export function bashCompletion(program: ProgramFacts): string {
  const takers = allOptions(program).filter((option) => option.placeholder !== undefined);
  const names = firstWords(program).map(([name]) => name);
  return `# bash completion for slicectl; ${NOTICE}

SLICECTL_PROPERTIES=$(printf '%s=\\n' ${PROPERTY_NAMES.join(' ')})

_slicectl_profiles() {
  local folder file
  for folder in "\${XDG_CONFIG_HOME:-$HOME/.config}/slicectl/profiles" /etc/slicectl/profiles; do
    for file in "$folder"/*.ini; do
      [[ -e $file ]] || continue
      file=\${file##*/}
      printf '%s\\n' "\${file%.ini}"
    done
  done
}

_slicectl_offer() {
  mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$2" -- "$1")
}

_slicectl_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen "$2" -- "$1")
}

# The value of the option $1 that begins with $2.
_slicectl_value() {
  local value=$2
  case $1 in
${valueCases(program)}
  esac
}

_slicectl() {
  COMPREPLY=()
  # bash cuts words at "=": they are joined again, and at[] keeps where each one began.
  local -a words=() at=()
  local i word glue=
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ ($word == = || -n $glue) && \${#words[@]} -gt 1 ]]; then
      words[\${#words[@]}-1]+=$word
      [[ $word == = && -z $glue ]] && glue=1 || glue=
    else
      words+=("$word")
      at+=("$i")
    fi
  done
  local last=$((\${#words[@]} - 1)) command= taker=
  local cur=\${words[last]}
  for ((i = 1; i < last; i++)); do
    word=\${words[i]}
    if [[ -z $command ]]; then
      [[ $word == -* ]] || command=$word
      continue
    fi
    case $word in
      ${pattern(takers)}) if ((i + 1 == last)); then taker=$word; fi; ((i++)); continue ;;
      --) [[ $command == run ]] || continue; _slicectl_command "$((i + 1))"; return ;;
      -*) continue ;;
    esac
    case $command in
      run) _slicectl_command "$i"; return ;;
      ${program.families.map(({ name }) => name).join('|')}) command+=" $word" ;;
    esac
  done
  if [[ -n $taker ]]; then
    # Of Name=value, readline replaces what follows the "=".
    [[ $cur == *=* ]] || _slicectl_value "$taker" "$cur"
    return
  fi
  if [[ -n $command && $cur == --*=* ]]; then
    _slicectl_value "\${cur%%=*}" "\${cur#*=}"
    return
  fi
  case $command in
    '') if [[ $cur == -* ]]; then _slicectl_offer "$cur" ${namesOf(program)}; else _slicectl_offer "$cur" ${words([...names, 'help'])}; fi ;;
    help) _slicectl_offer "$cur" ${words(names)} ;;
${program.families.map(({ name, members }) => `    ${name}) _slicectl_offer "$cur" ${words(members)} ;;`).join('\n')}
${program.commands.map((command) => `    ${words([command.name])}) ${offer(command)} ;;`).join('\n')}
  esac
}

# The command that is to run and its arguments, from word $1 on: as if it stood alone.
_slicectl_command() {
  if declare -F _comp_command_offset >/dev/null; then
    _comp_command_offset "\${at[$1]}"
  elif declare -F _command_offset >/dev/null; then
    _command_offset "\${at[$1]}"
  elif (($1 == last)) && [[ $cur != */* ]]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$cur")
  else
    _slicectl_files "$cur" -f
  fi
}

complete -F _slicectl slicectl
`;
}

function offer(command: CommandFacts): string {
  const options = `_slicectl_offer "$cur" ${namesOf(command)}`;
  return command.name === 'run' ? `if [[ $cur == -* ]]; then ${options}; else _slicectl_command "$last"; fi` : options;
}
