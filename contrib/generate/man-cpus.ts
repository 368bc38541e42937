import { commandNamed, type ProgramFacts } from './commands.ts';
import { examples, head, items, options } from './roff.ts';

/** slicectl-cpus(1). */
export function cpusManPage(program: ProgramFacts): string {
  const cpus = program.families.find(({ name }) => name === 'cpus');
  const optionsOf = (name: string): string =>
    options(commandNamed(program, `cpus ${name}`), '.SS').replace('.SS Options', `.SS Options of ${name}`);
  return `${head('slicectl-cpus', cpus?.description ?? '')}
.SH SYNOPSIS
.B slicectl cpus show
.RB [ \\-\\-json ]
.br
.B slicectl cpus reserve
.BI \\-\\-cpus " list"
|
.BI \\-\\-cores " n"
.BI \\-\\-for " slice"
.RI [ options ]
.br
.B slicectl cpus audit
.RI [ slice ]
.RI [ options ]
.br
.BI "slicectl cpus release " slice
.RI [ options ]
.br
.B slicectl cpus apply
.RB [ \\-\\-quiet ]
.SH DESCRIPTION
.I Payload CPUs
are those of the slice that is to be left alone.
.I System CPUs
are for everything else.
.PP
.B reserve
keeps every slice that is there or comes later, PID 1, units of the root slice
and groups that systemd did not make off the payload CPUs.
It plans, shows what will happen, asks, applies, and proves each step by
drop\\-ins, systemd's property, cpuset.cpus, cpuset.cpus.effective and the
masks of all tasks.
.B release
gives the CPUs back, in the order that leaves no process narrow;
.B slicectl undo
takes any of these changes back.
.PP
.B audit
finds who may run and who ran on payload CPUs, and what undid a reservation,
each with its cause and cure.
.PP
.B apply
brings back at boot what systemd cannot keep by itself:
.B slicectl\\-cpus.service
runs it.
.PP
Lists of CPUs are those of the kernel:
.BR 2\\-3,6\\-7 ,
.BR 2\\-6:1/2 .
.SH OPTIONS
${['show', 'reserve', 'audit', 'release', 'apply'].map(optionsOf).join('\n')}
.SH EXIT STATUS
${items([
  ['0', 'Done; for audit: all reservations hold.'],
  ['1', 'A step failed, and what had been done was taken back.'],
  ['2', 'The command line or a file is wrong. Nothing was changed.'],
  ['3', 'A reservation does not hold.'],
  ['4', 'This host cannot do it, or it is refused as things are; the message names both sets and the way out.'],
])}
.SH FILES
${items([
  ['/etc/slicectl/reservations/NAME.slice.conf', 'A reservation; until reboot in /run/slicectl/reservations.'],
  ['/etc/systemd/system/slice.d/10-slicectl-cpus.conf', 'What confines every slice; until reboot in /run.'],
  ['/run/slicectl/leases', 'The CPUs that jobs of slicectl run \\-\\-exclusive have.'],
])}
.SH EXAMPLES
${examples([
  ['What would be done:', 'slicectl cpus reserve --cores 2 --for db.slice --dry-run'],
  [
    'With interrupts and the kernel\\(aqs own work kept off too:',
    'slicectl cpus reserve --cores 2 --numa-node 1 --for db.slice --irqs --workqueues --kernel-threads',
  ],
  ['Whether it still holds:', 'slicectl cpus audit'],
  ['How late tasks wake up there:', 'slicectl cpus audit db.slice --measure 60'],
])}
.SH SEE ALSO
.BR slicectl (1),
.BR slicectl\\-run (1),
.BR systemd.resource\\-control (5),
.BR cpuset (7),
.BR taskset (1)
`;
}
