import { equalSets, printIndexSet } from '../../core/cpuset.ts';
import type { CpuMeasurement, Measurement } from './model.ts';

/** Below this, delays that come once a minute are met by chance. */
const FEW_SECONDS = 60;
const SLOW_IDLE_US = 50;
const BUSY = 0.1;
const QUIET = 0.2;

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

/** What these figures cannot show, and what was in their way, sentence by sentence. */
export function limitsOf(measurement: Measurement): readonly string[] {
  const { machine, cpus, seconds } = measurement;
  const steal = Math.max(0, ...cpus.map(({ around }) => around.steal));
  const listOf = (found: readonly CpuMeasurement[]): string => printIndexSet(found.map(({ cpu }) => cpu));
  const told = (found: readonly CpuMeasurement[], text: (list: string) => string): string[] =>
    found.length === 0 ? [] : [text(found.length === 1 ? `CPU ${listOf(found)}` : `CPUs ${listOf(found)}`)];
  const load = machine.load[1];
  const siblings = cpus.filter(({ around }) => around.siblings.some(({ busy }) => busy > BUSY));
  const system = cpus.filter(({ role }) => role === 'system');
  const isQuiet = system.length > 0 && system.every(({ around }) => around.busy < QUIET);
  const slow = cpus.filter(({ around }) => (around.idle?.exitUs ?? 0) > SLOW_IDLE_US);
  return [
    ...(machine.virtual === undefined
      ? []
      : [
          `this is a guest (${machine.virtual}): the host's delays are in these figures, and the steal of ${percent(steal)} is only what it tells; on hardware they would be others`,
        ]),
    ...(load > machine.cpusOnline
      ? [`the machine is busy: load ${load.toFixed(1)} on ${machine.cpusOnline} CPUs; compare only with the same load`]
      : []),
    ...(isQuiet ? ['the system CPUs had little to do, so that there was little to keep away; measure under load'] : []),
    ...(seconds < FEW_SECONDS ? [`${seconds} s are few for a maximum: rare delays need minutes`] : []),
    ...told(siblings, (list) => `${list}: the other thread of the core was busy, which slows without any switch`),
    ...told(
      slow,
      (list) => `${list}: to leave the deepest idle state may take ${idleUs(slow)} µs, which is in the wake-ups`,
    ),
    ...told(
      cpus.filter(({ cpu, allowed }) => !equalSets(allowed, [cpu])),
      (list) => `${list}: somebody moved the probe while it measured`,
    ),
    ...told(
      cpus.filter(({ collections }) => collections > 0),
      (list) => `${list}: garbage collections of the probe itself are among the delays`,
    ),
    'cache and memory bandwidth are shared with the other CPUs, and a probe that sleeps does not feel it',
  ];
}

function idleUs(cpus: readonly CpuMeasurement[]): number {
  return Math.max(...cpus.map(({ around }) => around.idle?.exitUs ?? 0));
}
