import { commandNamed, type ProgramFacts } from './commands.ts';
import { examples, head, items, options } from './roff.ts';

/** slicectl-driver(1). */
export function driverManPage(program: ProgramFacts): string {
  const optionsOf = (name: string): string =>
    options(commandNamed(program, `driver ${name}`), '.SS').replace('.SS Options', `.SS Options of ${name}`);
  const driver = program.families.find(({ name }) => name === 'driver');
  return `${head('slicectl-driver', driver?.description ?? '')}
.SH SYNOPSIS
.B slicectl driver status
.RI [ options ]
.br
.BI "slicectl driver align \\-\\-to " driver
.RI [ options ]
.br
.BI "slicectl driver check \\-\\-expect " driver
.RI [ options ]
.SH DESCRIPTION
A cgroup driver makes the cgroups of containers:
.B systemd
asks PID 1 for a scope in a slice,
.B cgroupfs
writes to the cgroup file system.
A host whose runtimes and kubelet do not agree has two views of its resources
and becomes unstable under pressure.
.PP
.B status
shows the driver in force and that of the next start,
and the file and line, flag or default that it comes from.
.B align
plans the change in the one right place of each runtime, shows it with what it
will stop, applies it, proves it, and takes it back if a step fails.
.B slicectl undo
takes it back later.
.B check
is for monitoring,
and for units that must not start on a host that is not aligned.
.SH OPTIONS
${['status', 'align', 'check'].map(optionsOf).join('\n')}
.SH EXIT STATUS
${items([
  ['0', 'Aligned, or done.'],
  ['1', 'A step failed, and what had been done was taken back.'],
  ['2', 'The command line or a configuration file is wrong. Nothing was changed.'],
  ['3', 'Not aligned, or not as expected.'],
  ['4', 'This host cannot do it, or it is too dangerous as things are; the message names the way out.'],
])}
.SH EXAMPLES
${examples([
  ['What there is:', 'slicectl driver status'],
  ['What would be changed, and what it would stop:', 'slicectl driver align --to systemd --dry-run'],
  ['Before the image of a machine is packed:', 'slicectl driver align --to systemd --root /mnt/image --yes'],
])}
.SH SEE ALSO
.BR slicectl (1),
.BR dockerd (8),
.BR containerd (8),
.BR systemd.slice (5)
`;
}
