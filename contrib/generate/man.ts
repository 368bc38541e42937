import { PROPERTIES } from '../../src/core/properties/table.ts';
import { VERSION } from '../../src/core/version.ts';
import { type CommandFacts, commandNamed, NOTICE, type OptionFacts, type ProgramFacts } from './commands.ts';

/** The day of the last change of the pages' own text. */
const DATE = '2026-11-21';

const MOST_COLUMNS = 76;

/** Text for roff, in lines of a width that can be read in a diff. */
function prose(text: string): string {
  return roff(text.replaceAll(new RegExp(`(.{1,${MOST_COLUMNS}})(?: |$)`, 'g'), '$1\n').trimEnd());
}

/** As it stands: no line can become a request, and a hyphen is one that can be copied. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('µ', '\\(mc')
    .replace(/^(['.])/gm, '\\&$1');
}

function head(name: string, description: string): string {
  return [
    `.\\" ${NOTICE}`,
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} 1 ${DATE} "slicectl ${VERSION}"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(description).replace(', and ', ',\nand ')}`,
  ].join('\n');
}

function optionItem({ names, placeholder, help, choices }: OptionFacts): string {
  const value = placeholder === undefined ? '' : ` \\fI${roff(placeholder)}\\fR`;
  const term = names.map((name) => `\\fB${roff(name)}\\fR${value}`).join(', ');
  const words = choices.length > 0 ? ` One of ${choices.join(', ')}.` : '';
  return `.TP\n${term}\n${prose(`${sentence(help)}.${words}`)}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function options(command: CommandFacts, heading: '.SH' | '.SS'): string {
  const groups = [...new Set(command.options.map(({ group }) => group))];
  const title = (group: string): string => (heading === '.SH' ? group.toUpperCase() : group);
  return groups
    .map((group) => {
      const own = command.options.filter((option) => option.group === group);
      return `${heading} ${title(group)}\n${own.map(optionItem).join('\n')}`;
    })
    .join('\n');
}

function items(list: readonly (readonly [term: string, text: string])[]): string {
  return list.map(([term, text]) => `.TP\n\\fB${roff(term)}\\fR\n${prose(text)}`).join('\n');
}

function examples(list: readonly (readonly [text: string, command: string])[]): string {
  return list
    .map(
      ([text, command], index) =>
        `${index === 0 ? '' : '.PP\n'}${prose(text)}\n.PP\n.nf\n.RS\n${roff(command)}\n.RE\n.fi`,
    )
    .join('\n');
}

/** slicectl(1). */
export function manPage(program: ProgramFacts): string {
  const sweep = commandNamed(program, 'sweep');
  const run = commandNamed(program, 'run');
  return `${head('slicectl', 'put resource limits on work through systemd or plain cgroups')}
.SH SYNOPSIS
.B slicectl run
.RI [ options ]
.RB [ \\-\\- ]
.IR command " [" argument ...]
.br
.B slicectl sweep
.RB [ \\-\\-user | \\-\\-system ]
.RB [ \\-\\-json ]
.SH DESCRIPTION
slicectl starts commands under limits of CPU, memory, tasks and I/O.
It asks systemd over D\\-Bus,
or writes the cgroup file system where there is no systemd.
Before the first instruction of a command
it reads every limit back from the kernel.
When the command has ended it says what the command used and why it ended.
.SH COMMANDS
.TP
.B slicectl run
${roff(sentence(run.description))}.
See
.BR slicectl\\-run (1).
.TP
.B slicectl sweep
${roff(sentence(sweep.description))}.
Prints one name a line.
${options(sweep, '.SS').replace('.SS Options', '.SS Options of sweep')}
${options(program, '.SH')}
.SH EXIT STATUS
slicectl run ends with the status of the command, see
.BR slicectl\\-run (1).
Otherwise:
${items([
  ['0', 'Done.'],
  ['1', 'A step failed.'],
  ['2', 'The command line is wrong.'],
  ['4', 'This host cannot do it: there is no bus, no cgroup tree, or it belongs to systemd.'],
])}
.SH ENVIRONMENT
${items([['SLICECTL_DEBUG', 'With 1, an error is followed by all that is known about it.']])}
.SH SEE ALSO
.BR slicectl\\-run (1),
.BR systemd.resource\\-control (5),
.BR systemd\\-run (1),
.BR cgroups (7)
`;
}

/** slicectl-run(1). */
export function runManPage(program: ProgramFacts): string {
  const run = commandNamed(program, 'run');
  const rows = PROPERTIES.map((row) => {
    const flags = row.flags.map(({ name }) => name);
    return [
      `${row.name}=${row.example}`,
      `${row.summary}.${flags.length > 0 ? ` Flag: ${flags.join(', ')}.` : ''} Since systemd ${row.since}.`,
    ] as const;
  });
  return `${head('slicectl-run', run.description)}
.SH SYNOPSIS
.B slicectl run
.RI [ options ]
.RB [ \\-\\- ]
.IR command " [" argument ...]
.SH DESCRIPTION
slicectl run starts
.I command
in a group of its own, under the limits that are asked for.
The command waits until every limit has been read back from the kernel,
the groups above included, and starts then.
A limit that the kernel does not hold, or that a tighter one above makes
meaningless, is an error, and nothing has run.
.PP
Options end at the first word that is none, or at
.BR \\-\\- .
A flag counts before
.BR \\-p ,
and that before
.BR \\-\\-profile ;
of several profiles the last one counts.
An empty value forgets what a weaker level said.
${options(run, '.SH')}
.SH PROPERTIES
What
.B \\-p
and profiles take, with an example of each:
${items(rows)}
.SH EXIT STATUS
${items([
  ['the status of the command', '128 + N where signal N ended it. After SIGINT slicectl ends by SIGINT itself.'],
  ['125', 'slicectl could not start it as asked. Nothing has run.'],
  ['126', 'The command cannot be executed.'],
  ['127', 'There is no such command.'],
])}
.SH ENVIRONMENT
${items([
  ['XDG_CONFIG_HOME, HOME', 'Where the profiles of the user lie.'],
  ['NO_COLOR, TERM', 'With NO_COLOR set, or TERM=dumb, the receipt has no colours.'],
  ['SLICECTL_DEBUG', 'With 1, an error is followed by all that is known about it.'],
])}
.SH FILES
${items([
  ['~/.config/slicectl/profiles/NAME.ini', 'A profile of the user.'],
  ['/etc/slicectl/profiles/NAME.ini', 'A profile of the administrator.'],
])}
.SH EXAMPLES
${examples([
  ['A build with one and a half CPUs and 2 GiB of memory:', 'slicectl run --cpu 1.5 --memory 2G -- make -j4'],
  ['A limit that has no flag:', 'slicectl run -p MemoryHigh=1G -p MemoryMax=2G -- ./job'],
  [
    'A service that goes on alone, and is ended after an hour:',
    'slicectl run --service --timeout 1h --memory 4G -- ./job',
  ],
  ['What would be sent and written:', 'slicectl run --dry-run --cpus 2-3 -- ./job'],
])}
.SH SEE ALSO
.BR slicectl (1),
.BR systemd.resource\\-control (5),
.BR systemd\\-run (1),
.BR cgroups (7)
`;
}
