import { type IndexSet, without } from '../../core/cpuset.ts';
import { readIfThere } from '../../host/files.ts';
import { type Interrupt, parseInterrupts } from '../../host/interrupts.ts';
import type { HostPaths } from '../../host/paths.ts';
import { coresOf, type Topology } from '../../host/topology.ts';
import { foldersIn } from '../../host/tree.ts';
import type { Counted, CpuSurroundings } from './model.ts';

/** Counters of all CPUs at one moment. */
export interface Moment {
  readonly times: ReadonlyMap<number, CpuTimes>;
  readonly devices: ReadonlyMap<number, Pick<Interrupt, 'name' | 'source' | 'counts'>>;
  readonly local: Table;
  readonly softirqs: Table;
}

/** In ticks of USER_HZ (proc_stat(5)). */
export interface CpuTimes {
  readonly all: number;
  readonly idle: number;
  readonly steal: number;
}

/** Counts on each CPU, by the name of the row. */
export type Table = ReadonlyMap<string, ReadonlyMap<number, number>>;

export function readMoment({ proc }: HostPaths): Moment {
  const interrupts = readIfThere(`${proc}/interrupts`) ?? '';
  return {
    times: parseTimes(readIfThere(`${proc}/stat`) ?? ''),
    devices: parseInterrupts(interrupts),
    local: parseTable(interrupts),
    softirqs: parseTable(readIfThere(`${proc}/softirqs`) ?? ''),
  };
}

export function parseTimes(text: string): ReadonlyMap<number, CpuTimes> {
  const found = new Map<number, CpuTimes>();
  for (const [, cpu, line = ''] of text.matchAll(/^cpu(\d+) (.*)$/gm)) {
    // The time of guests behind these eight is in user and nice already.
    const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
      .trim()
      .split(/\s+/)
      .map(Number);
    const all = user + nice + system + idle + iowait + irq + softirq + steal;
    found.set(Number(cpu), { all, idle: idle + iowait, steal });
  }
  return found;
}

/** The rows with letters, which count for each CPU: those of /proc/softirqs, and of /proc/interrupts those without number. */
export function parseTable(text: string): Table {
  const [head = '', ...rows] = text.split('\n');
  const cpus = [...head.matchAll(/CPU(\d+)/g)].map(([, cpu]) => Number(cpu));
  const found = new Map<string, ReadonlyMap<number, number>>();
  for (const row of rows) {
    const [, name, rest = ''] = /^\s*([A-Z][A-Z_0-9]+):(.*)$/.exec(row) ?? [];
    const counts = rest.trim().split(/\s+/).slice(0, cpus.length);
    // ERR and MIS are of the machine, and have one number alone.
    if (name === undefined || counts.length < cpus.length || !counts.every((count) => /^\d+$/.test(count))) continue;
    found.set(name, new Map(cpus.map((cpu, at) => [cpu, Number(counts[at])])));
  }
  return found;
}

/** What went on at the CPUs between two moments. */
export function surroundingsOf(
  paths: HostPaths,
  topology: Topology,
  cpus: IndexSet,
  [before, after]: readonly [Moment, Moment],
): readonly CpuSurroundings[] {
  const shareOf = (cpu: number, of: (times: CpuTimes) => number): number => {
    const [from, to] = [before.times.get(cpu), after.times.get(cpu)];
    return from && to && to.all > from.all ? (of(to) - of(from)) / (to.all - from.all) : 0;
  };
  const busyOf = (cpu: number): number => shareOf(cpu, ({ all, idle, steal }) => all - idle - steal);
  return cpus.map((cpu) => ({
    cpu,
    devices: countedOf(devicesAt(before, cpu), devicesAt(after, cpu)),
    local: countedOf(rowsAt(before.local, cpu), rowsAt(after.local, cpu)),
    softirqs: countedOf(rowsAt(before.softirqs, cpu), rowsAt(after.softirqs, cpu)),
    busy: busyOf(cpu),
    steal: shareOf(cpu, ({ steal }) => steal),
    siblings: coresOf(topology, [cpu])
      .flatMap((core) => without(core.cpus, [cpu]))
      .map((sibling) => ({ cpu: sibling, busy: busyOf(sibling) })),
    governor: readIfThere(`${paths.sys}/devices/system/cpu/cpu${cpu}/cpufreq/scaling_governor`)?.trim(),
    idle: deepestIdle(paths, cpu),
  }));
}

type Counts = ReadonlyMap<string, number>;

function devicesAt({ devices }: Moment, cpu: number): Counts {
  return new Map(
    [...devices].map(([number, { name, source, counts }]) => [`${number} ${name || source}`, counts.get(cpu) ?? 0]),
  );
}

function rowsAt(table: Table, cpu: number): Counts {
  return new Map([...table].map(([name, counts]) => [name, counts.get(cpu) ?? 0]));
}

function countedOf(before: Counts, after: Counts): Counted[] {
  return [...after]
    .map(([name, count]) => ({ name, count: count - (before.get(name) ?? 0) }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
}

/** Documentation/ABI/testing/sysfs-devices-system-cpu, cpuidle: `latency` is that of leaving the state. */
function deepestIdle({ sys }: HostPaths, cpu: number): CpuSurroundings['idle'] {
  const folder = `${sys}/devices/system/cpu/cpu${cpu}/cpuidle`;
  const states = foldersIn(folder).flatMap((state) => {
    const read = (name: string): string | undefined => readIfThere(`${folder}/${state}/${name}`)?.trim();
    const name = read('name');
    return name === undefined || read('disable') === '1' ? [] : [{ name, exitUs: Number(read('latency') ?? 0) }];
  });
  return states.sort((a, b) => b.exitUs - a.exitUs)[0];
}
