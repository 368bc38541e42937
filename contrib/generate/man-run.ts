import { PROPERTIES } from '../../src/core/properties/table.ts';
import { commandNamed, type ProgramFacts } from './commands.ts';
import { examples, head, items, options } from './roff.ts';

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
