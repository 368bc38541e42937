import { type IndexSet, parseIndexSet } from '../../../src/core/cpuset.ts';

/** A thread of the guest as its own /proc shows it, read by a program that shares nothing with slicectl. */
export interface Mask {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  /** The v2 group. */
  readonly cgroup: string;
  /** Kernel threads that belong to one CPU, others that cannot be moved, and those that can. */
  readonly kind: 'user' | 'per-cpu' | 'fixed' | 'movable';
  /** `R`, `S`, … */
  readonly state: string;
  /** Cpus_allowed_list. */
  readonly allowed: IndexSet;
  /** Where it ran last. */
  readonly cpu: number;
}

/** A user thread that ran, and the CPUs on which it was found after it had. */
export interface Seen {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  readonly cgroup: string;
  readonly cpus: IndexSet;
}

/** Prints `pid tid flags state cpu allowed cgroup comm` of each thread, by tabs. */
export const MASKS_PROGRAM = `
sub slurp { open(my $f, '<', $_[0]) or return; local $/; my $text = <$f>; return $text }
for my $path (glob '/proc/[0-9]*/task/[0-9]*') {
  my ($pid, $tid) = $path =~ m{(\\d+)/task/(\\d+)};
  my ($stat, $status, $groups) = map { slurp("$path/$_") } qw(stat status cgroup);
  next unless $stat && $status && $groups;
  my ($comm, $rest) = $stat =~ /\\((.*)\\) (.*)/s or next;
  my @field = split ' ', $rest;
  my ($allowed) = $status =~ /^Cpus_allowed_list:\\s*(\\S*)/m;
  my ($group) = $groups =~ /^0::(.*)/m;
  print join("\\t", $pid, $tid, @field[6, 0, 36], $allowed, $group, $comm), "\\n" unless $pid == $$;
}`;

/** For so many seconds looks again and again which user threads ran; prints `pid tid cpu cgroup comm`, by tabs. */
export const SEEN_PROGRAM = `
sub slurp { open(my $f, '<', $_[0]) or return; local $/; my $text = <$f>; return $text }
my $end = time + shift;
my (%ran, %kernel, %seen, $again);
do {
  for my $path (grep { !$kernel{$_} } glob '/proc/[0-9]*/task/[0-9]*') {
    my ($pid, $tid) = $path =~ m{(\\d+)/task/(\\d+)};
    my ($time) = (slurp("$path/schedstat") // next) =~ /^(\\d+)/;
    my $before = $ran{$path};
    $ran{$path} = $time;
    next if $pid == $$ || defined $before && $before == $time;
    my ($comm, $rest) = (slurp("$path/stat") // '') =~ /\\((.*)\\) (.*)/s or next;
    my @field = split ' ', $rest;
    $kernel{$path} = 1, next if $field[6] & 0x200000;
    next unless defined $before || $again;
    $seen{join "\\t", $pid, $tid, $field[36]} //= join "\\t", (slurp("$path/cgroup") // '') =~ /^0::(.*)/m, $comm;
  }
  $again = 1;
  select undef, undef, undef, 0.1;
} while time < $end;
print "$_\\t$seen{$_}\\n" for keys %seen;`;

// include/linux/sched.h
const PF_KTHREAD = 0x0020_0000;
const PF_NO_SETAFFINITY = 0x0400_0000;

export function parseMasks(text: string): readonly Mask[] {
  return rows(text).map(([pid, tid, flags, state = '', cpu, list = '', cgroup = '', comm = '']) => {
    const allowed = parseIndexSet(list, 'Cpus_allowed_list');
    return {
      ...{ pid: Number(pid), tid: Number(tid), comm, cgroup, state, allowed, cpu: Number(cpu) },
      kind: kindOf(Number(flags), allowed.length),
    };
  });
}

export function parseSeen(text: string): readonly Seen[] {
  const threads = new Map<string, Seen>();
  for (const [pid = '', tid = '', cpu, cgroup = '', comm = ''] of rows(text)) {
    const known = threads.get(tid)?.cpus ?? [];
    const cpus = [...known, Number(cpu)].sort((a, b) => a - b);
    threads.set(tid, { pid: Number(pid), tid: Number(tid), comm, cgroup, cpus });
  }
  return [...threads.values()];
}

const rows = (text: string): string[][] => text.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]));

function kindOf(flags: number, cpus: number): Mask['kind'] {
  if ((flags & PF_KTHREAD) === 0) return 'user';
  if ((flags & PF_NO_SETAFFINITY) === 0) return 'movable';
  return cpus === 1 ? 'per-cpu' : 'fixed';
}
