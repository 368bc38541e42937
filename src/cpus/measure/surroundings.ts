import { type IndexSet, without } from '../../core/cpuset.ts';
import {
  type CountsByCpu,
  type CpuTimes,
  readCpuInterrupts,
  readCpuTimes,
  readSoftirqs,
} from '../../host/cpu-times.ts';
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
  readonly local: CountsByCpu;
  readonly softirqs: CountsByCpu;
}

export function readMoment(paths: HostPaths): Moment {
  return {
    times: readCpuTimes(paths),
    devices: parseInterrupts(readIfThere(`${paths.proc}/interrupts`) ?? ''),
    local: readCpuInterrupts(paths),
    softirqs: readSoftirqs(paths),
  };
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
    const whole = from && to ? allOf(to) - allOf(from) : 0;
    return from && to && whole > 0 ? (of(to) - of(from)) / whole : 0;
  };
  const busyOf = (cpu: number): number => shareOf(cpu, ({ tasks, interrupts }) => tasks + interrupts);
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

const allOf = ({ tasks, interrupts, idle, steal }: CpuTimes): number => tasks + interrupts + idle + steal;

type Counts = ReadonlyMap<string, number>;

function devicesAt({ devices }: Moment, cpu: number): Counts {
  return new Map(
    [...devices].map(([number, { name, source, counts }]) => [`${number} ${name || source}`, counts.get(cpu) ?? 0]),
  );
}

function rowsAt(table: CountsByCpu, cpu: number): Counts {
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
