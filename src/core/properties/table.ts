import { badInput, quote } from '../errors.ts';
import { nearest } from '../suggest.ts';
import { cpuRows } from './cpu.ts';
import { ioRows } from './io.ts';
import { lifetimeRows } from './lifetime.ts';
import { memoryRows } from './memory.ts';
import type { LimitName, Row } from './row.ts';
import { setRows } from './sets.ts';
import { tasksRows } from './tasks.ts';

/** Every limit that slicectl knows, in the order in which help, receipts and docs show them. */
export const PROPERTIES: readonly Row[] = [
  ...cpuRows,
  ...setRows,
  ...memoryRows,
  ...tasksRows,
  ...ioRows,
  ...lifetimeRows,
];

const BY_NAME: ReadonlyMap<string, Row> = new Map(PROPERTIES.map((row) => [row.name, row]));

/**
 * Old names that systemd accepts and throws away since 258, and what says the same today
 * (systemd NEWS 258: "removed support for cgroup v1").
 */
const SUCCESSORS: ReadonlyMap<string, LimitName> = new Map([
  ['CPUShares', 'CPUWeight'],
  ['MemoryLimit', 'MemoryMax'],
  ['BlockIOWeight', 'IOWeight'],
  ['BlockIODeviceWeight', 'IODeviceWeight'],
  ['BlockIOReadBandwidth', 'IOReadBandwidthMax'],
  ['BlockIOWriteBandwidth', 'IOWriteBandwidthMax'],
]);

/** The row of a property name as systemd spells it. */
export function property(name: string): Row {
  const row = BY_NAME.get(name);
  if (row) return row;
  const successor = SUCCESSORS.get(name);
  if (successor) throw badInput(`${name} is a property that systemd no longer obeys`, `write ${successor}`);
  const near = nearest(name, [...BY_NAME.keys()]);
  throw badInput(
    `${quote(name)} is not a limit that slicectl knows`,
    near ? `did you mean ${near}?` : 'slicectl run --help lists the properties',
    { name },
  );
}

/** The row of a known name. */
export function rowOf(name: LimitName): Row {
  return property(name);
}
