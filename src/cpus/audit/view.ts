import { equalSets, type IndexSet, intersection, union, without } from '../../core/cpuset.ts';
import { managerCpus } from '../../host/manager-affinity.ts';
import type { CpuFacts, ReservationRecord, Wanted } from '../model.ts';
import type { Traces } from './traces.ts';

/** All that an audit judges by, read at one time. */
export interface AuditView {
  readonly facts: CpuFacts;
  /** How it would have to be with all reservations, also those that are not looked at. */
  readonly wanted: Wanted;
  /** The reservations that are looked at. */
  readonly records: readonly ReservationRecord[];
  readonly traces: Traces;
}

/** The payload CPUs that are online, of the reservations that are looked at. */
export function payloadOf({ records, facts }: AuditView): IndexSet {
  return intersection(union(...records.map(({ cpus }) => cpus)), facts.topology.online);
}

/** The system CPUs that are online. */
export function systemOf({ wanted, facts }: AuditView): IndexSet {
  return intersection(wanted.system, facts.topology.online);
}

/** Where tasks of a group may run: what the nearest group above says that says anything. */
export function opennessOf({ groups, topology }: CpuFacts): (cgroup: string) => IndexSet {
  const known = new Map((groups?.groups ?? []).map(({ path, effective }) => [path, effective] as const));
  return (cgroup) => {
    for (let path = cgroup; path.length > 1; path = path.slice(0, path.lastIndexOf('/'))) {
      const effective = known.get(path);
      if (effective !== undefined) return effective;
    }
    return groups?.root ?? topology.online;
  };
}

/**
 * Whether a mask is that of a task which nobody gave one, in a group that is open to `open`: PID 1 begins without the CPUs
 * of `isolcpus=`, or takes those of `systemd.cpu_affinity=` or of CPUAffinity= in its own configuration, and hands its
 * mask down.
 */
export function isInherited(
  facts: Pick<CpuFacts, 'topology' | 'kernelLine' | 'managerAffinity'>,
  mask: IndexSet,
  open: IndexSet,
): boolean {
  const given = managerCpus(facts);
  return [open, without(open, facts.topology.isolated), ...(given ? [intersection(open, given)] : [])].some((usual) =>
    equalSets(mask, usual),
  );
}
