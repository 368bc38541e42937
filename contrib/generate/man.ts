import { commandNamed, type ProgramFacts } from './commands.ts';
import { head, items, options, roff, sentence } from './roff.ts';

/** slicectl(1). */
export function manPage(program: ProgramFacts): string {
  const describe = (name: string): string => `${roff(sentence(commandNamed(program, name).description))}.`;
  return `${head('slicectl', 'put resource limits on work through systemd or plain cgroups')}
.SH SYNOPSIS
.B slicectl run
.RI [ options ]
.RB [ \\-\\- ]
.IR command " [" argument ...]
.br
.B slicectl driver
.BR status | align | check
.RI [ options ]
.br
.B slicectl cpus
.BR show | reserve | audit | release | apply
.RI [ options ]
.br
.B slicectl history
.RI [ id ]
.br
.BR "slicectl undo" | resume
.RI [ id ]
.br
.B slicectl sweep
.RI [ options ]
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
${describe('run')}
See
.BR slicectl\\-run (1).
.TP
.B slicectl driver
See and align the cgroup drivers of Docker, containerd, CRI\\-O, podman and the
kubelet.
See
.BR slicectl\\-driver (1).
.TP
.B slicectl cpus
Keep system services, users, machines and containers off the CPUs of one slice:
see, reserve, prove, audit, give back.
See
.BR slicectl\\-cpus (1).
.TP
.BR "slicectl history " [\\fIid\\fR]
${describe('history')}
.TP
.BR "slicectl undo " [\\fIid\\fR]
${describe('undo')}
A file that somebody has changed since is shown and not overwritten.
.TP
.BR "slicectl resume " [\\fIid\\fR]
${describe('resume')}
.TP
.B slicectl sweep
${describe('sweep')}
Prints one name a line.
${['history', 'undo', 'resume', 'sweep'].map((name) => options(commandNamed(program, name), '.SS').replace('.SS Options', `.SS Options of ${name}`)).join('\n')}
${options(program, '.SH')}
.SH EXIT STATUS
slicectl run ends with the status of the command, see
.BR slicectl\\-run (1).
Otherwise:
${items([
  ['0', 'Done.'],
  ['1', 'A step failed. Of a lasting change, what had been done was taken back.'],
  ['2', 'The command line, or a configuration file, is wrong. Nothing was changed.'],
  ['3', 'A check found a difference.'],
  [
    '4',
    'This host cannot do it: there is no bus, no privilege or no cgroup tree, or the plan is too dangerous as things are.',
  ],
])}
.SH ENVIRONMENT
${items([['SLICECTL_DEBUG', 'With 1, an error is followed by all that is known about it.']])}
.SH FILES
${items([['/var/lib/slicectl/journal', 'The lasting changes, each with all that is needed to undo it. For users other than root: ~/.local/state/slicectl/journal.']])}
.SH SEE ALSO
.BR slicectl\\-run (1),
.BR slicectl\\-driver (1),
.BR slicectl\\-cpus (1),
.BR systemd.resource\\-control (5),
.BR systemd\\-run (1),
.BR cgroups (7)
`;
}
