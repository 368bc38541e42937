import { commandNamed, firstWords, NOTICE, type OptionFacts, PROPERTY_NAMES, type ProgramFacts } from './commands.ts';

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

const OFFERS = {
  property: `-x -a ${quoted(PROPERTY_NAMES.map((name) => `${name}=`).join(' '))}`,
  profile: `-r -a '(__slicectl_profiles)'`,
  file: '-r -F',
  folder: `-x -a '(__fish_complete_directories)'`,
  user: `-x -a '(__fish_complete_users)'`,
  group: `-x -a '(__fish_complete_groups)'`,
  text: '-x',
} as const;

function line(condition: string, option: OptionFacts): string {
  const names = option.names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const offer =
    option.placeholder === undefined
      ? ''
      : option.kind === 'words'
        ? ` -x -a ${quoted(option.choices.join(' '))}`
        : ` ${OFFERS[option.kind]}`;
  return `complete -c slicectl -n ${quoted(condition)} ${names.join(' ')}${offer} -d ${quoted(option.help)}`;
}

export function fishCompletion(program: ProgramFacts): string {
  const run = program.commands.find(({ name }) => name === 'run');
  const takers = (run?.options ?? []).filter(({ placeholder }) => placeholder !== undefined);
  const lines = [
    ...firstWords(program).map(
      ([name, description]) => `complete -c slicectl -n __slicectl_needs_command -a ${name} -d ${quoted(description)}`,
    ),
    ...program.families.flatMap(({ name: family, members }) =>
      members.map((member) => {
        const command = commandNamed(program, `${family} ${member}`);
        return `complete -c slicectl -n '__slicectl_needs_member ${family}' -a ${member} -d ${quoted(command.description)}`;
      }),
    ),
    ...program.commands.flatMap(({ name, options }) =>
      options.map((option) => line(`__slicectl_options_of ${name}`, option)),
    ),
  ];
  return `# fish completion for slicectl; ${NOTICE}

function __slicectl_profiles
    set -l config $HOME/.config
    set -q XDG_CONFIG_HOME; and set config $XDG_CONFIG_HOME
    for file in $config/slicectl/profiles/*.ini /etc/slicectl/profiles/*.ini
        string replace -r '.*/(.*)\\.ini$' '$1' -- $file
    end
end

function __slicectl_needs_command
    test (count (string match -v -- '-*' (commandline -opc))) -eq 1
end

function __slicectl_needs_member
    set -l words (string match -v -- '-*' (commandline -opc))
    test (count $words) -eq 2; and test "$words[2]" = $argv[1]
end

# The words of the command that is to run and its arguments, nothing before it begins.
function __slicectl_job
    set -l words (commandline -opc)
    set -e words[1]
    test "$words[1]" = run; or return
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case ${takers.flatMap(({ names }) => names).join(' ')}
                set -e words[1]
                set -q words[1]; or return
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    set -q words[1]; and printf '%s\\n' $words
end

function __slicectl_options_of
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]; or return
    test (count $argv) -eq 1; or test "$words[3]" = $argv[2]; or return
    test (count (__slicectl_job)) -eq 0
end

function __slicectl_complete_job
    set -l job (__slicectl_job)
    if set -q job[1]
        complete -C (string join ' ' -- (string escape -- $job) (commandline -ct))
    else
        __fish_complete_command
    end
end

complete -c slicectl -f
complete -c slicectl -n '__fish_seen_subcommand_from run' -a '(__slicectl_complete_job)'
${program.options.map((option) => line('__slicectl_needs_command', option)).join('\n')}
${lines.join('\n')}
`;
}
