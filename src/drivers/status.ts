import type { CgroupDriver, DriverHost, ObservedDriver, RuntimeName, RuntimeStatus } from './model.ts';
import type { Instance, Reader } from './runtimes.ts';

export interface StatusRow extends RuntimeStatus {
  /** Why this row is shown and not judged: nothing on this host asks this runtime for containers by that way. */
  readonly unused: string | undefined;
}

export interface StatusReport {
  /** All runtimes that are in use have one driver, now and at their next start, and none has an error. */
  readonly aligned: boolean;
  /** The one driver, where there is one. */
  readonly driver: ObservedDriver | undefined;
  readonly rows: readonly StatusRow[];
  /** Why it is not aligned, one sentence each. */
  readonly differences: readonly string[];
}

/** The instances of the runtimes that were named, or of all of them. */
export async function readInstances(
  readers: readonly Reader[],
  host: DriverHost,
  only: readonly string[] = [],
): Promise<readonly Instance[]> {
  const wanted = readers.filter(({ name }) => only.length === 0 || only.includes(name));
  return (await Promise.all(wanted.map((reader) => reader.read(host)))).flat();
}

/**
 * Marks the rows that nothing on this host uses: containerd and CRI-O make containers by their CRI for a kubelet only, and
 * it asks one of them. Who names a runtime means it.
 */
export function markUnused(rows: readonly RuntimeStatus[], named: readonly string[] = []): readonly StatusRow[] {
  const kubelets = rows.filter(({ runtime }) => runtime === 'kubelet');
  const isAsked = (runtime: RuntimeName): boolean => kubelets.some(({ asks }) => (asks ?? runtime) === runtime);
  const why =
    kubelets.length === 0 ? 'no kubelet on this host asks it for containers' : 'the kubelet asks another runtime';
  return rows.map((row) => ({
    ...row,
    unused: isCri(row.runtime) && !isAsked(row.runtime) && !named.includes(row.runtime) ? why : undefined,
  }));
}

function isCri(runtime: RuntimeName): boolean {
  return runtime === 'containerd' || runtime === 'crio';
}

/** Judges the rows: by one another, or by what is expected. */
export function judge(rows: readonly StatusRow[], expected?: CgroupDriver): StatusReport {
  const judged = rows.filter(({ unused }) => unused === undefined);
  const seen = new Set(judged.flatMap(driversOf));
  const differences = [
    ...judged.flatMap((row) => ownFaults(row)),
    ...(expected === undefined ? between(judged, seen) : judged.flatMap((row) => unexpected(row, expected))),
  ];
  const [driver] = seen.size === 1 ? seen : [];
  return { aligned: differences.length === 0, driver, rows, differences };
}

/** What a row is called in a sentence: `Docker (rootless alice)`. */
export function titleOf({ runtime, instance }: Pick<RuntimeStatus, 'runtime' | 'instance'>): string {
  return instance === '' ? TITLES[runtime] : `${TITLES[runtime]} (${instance})`;
}

const TITLES: Readonly<Record<RuntimeName, string>> = {
  docker: 'Docker',
  containerd: 'containerd',
  crio: 'CRI-O',
  podman: 'podman',
  'cri-dockerd': 'cri-dockerd',
  kubelet: 'the kubelet',
  k3s: 'k3s',
  rke2: 'RKE2',
  microk8s: 'MicroK8s',
};

function driversOf({ running, configured }: RuntimeStatus): ObservedDriver[] {
  return [running?.driver, configured.driver].filter((driver) => driver !== undefined);
}

function ownFaults(row: StatusRow): string[] {
  const errors = row.findings.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  const { running, configured } = row;
  if (running === undefined || configured.driver === undefined || running.driver === configured.driver) return errors;
  return [
    ...errors,
    `${titleOf(row)} runs with ${running.driver} and its next start will be with ${configured.driver}`,
  ];
}

function between(rows: readonly StatusRow[], seen: ReadonlySet<ObservedDriver>): string[] {
  if (seen.size < 2) return [];
  const parts = [...seen].map((driver) => {
    const users = rows.filter((row) => (row.configured.driver ?? row.running?.driver) === driver).map(titleOf);
    return users.length === 0 ? undefined : `${users.join(', ')} ${users.length === 1 ? 'uses' : 'use'} ${driver}`;
  });
  const told = parts.filter((part) => part !== undefined);
  return told.length < 2 ? [] : [told.join('; ')];
}

/** Whether it has, or will have, another driver than this one, or will not start. */
export function differsFrom({ running, configured }: RuntimeStatus, to: CgroupDriver): boolean {
  return configured.driver !== to || (running !== undefined && running.driver !== to);
}

function unexpected(row: StatusRow, expected: CgroupDriver): string[] {
  const { running, configured } = row;
  const found = [
    ...(running !== undefined && running.driver !== expected ? [`runs with ${running.driver}`] : []),
    ...(configured.driver !== undefined && configured.driver !== expected
      ? [`would start next with ${configured.driver}`]
      : []),
  ];
  return found.length === 0 ? [] : [`${titleOf(row)} ${found.join(' and ')}, not with ${expected}`];
}
