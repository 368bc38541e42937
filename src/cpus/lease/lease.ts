import type { IndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { jobId } from '../../core/job-id.ts';
import { bootId } from '../../host/lock.ts';
import type { HostPaths } from '../../host/paths.ts';
import { readOwner } from '../../host/process.ts';
import type { Reservation } from '../roles.ts';
import { inodeOf } from './held.ts';
import { type LeaseChoice, type LeaseGround, type LeaseRequest, pickLease } from './pick.ts';
import type { Lease } from './record.ts';
import { type LeaseList, type LeaseStore, readLeases, removeLease, withLeases, writeLease } from './store.ts';

/** What is read before the lock is taken, which nobody else is to wait for. */
export interface FixedGround extends Omit<LeaseGround, 'leases' | 'reservations'> {
  /** Called under the lock: a reservation that is being made looks at the leases under it, too, once it is written down. */
  readonly readReservations: () => readonly Reservation[];
}

/** The way to a lease beside a systemd that does not rule cpuset: below a group that it leaves to others. */
export const PLAIN_LEASE = 'systemd-run --scope -p Delegate=yes slicectl run --exclusive N --backend cgroup-v1';

/** Where a job is, or is about to be. */
export interface LeasePlace {
  readonly unit: string | undefined;
  /** The group of the job, and its folder in the hierarchy that has cpuset; undefined where only the unit is known. */
  readonly group: { readonly cgroup: string; readonly folder: string } | undefined;
}

/** A lease that this process took. */
export interface TakenLease extends LeaseChoice {
  /**
   * Writes down where the job is. From then on the lease outlives this process as long as the job runs; to be called
   * before the job's command does.
   */
  bind(place: LeasePlace): void;
  /** Gives it back at once. */
  release(): void;
}

/** Which cores a lease would get now. Takes none. */
export function previewLease(store: LeaseStore, ground: FixedGround, request: LeaseRequest): LeaseChoice {
  return choose(readLeases(store), ground, request);
}

let serial = 0;

/**
 * Takes free cores for one job: what nobody else has who asked the same way. `E_REFUSED` with who has them where too few
 * are free; `E_SYNTAX` while there is a lease that cannot be read.
 */
export async function takeLease(
  store: LeaseStore,
  ground: FixedGround,
  request: LeaseRequest,
  command: string,
): Promise<TakenLease> {
  return withLeases(store, 'lease of cores', (list) => {
    const choice = choose(list, ground, request);
    serial += 1;
    const lease = newLease(store.paths, choice.cpus, request, command);
    writeLease(store, lease);
    return { ...choice, ...handle(store, lease) };
  });
}

function choose({ held, faults }: LeaseList, ground: FixedGround, request: LeaseRequest): LeaseChoice {
  const [fault] = faults;
  if (fault !== undefined) throw fault;
  return pickLease({ ...ground, reservations: ground.readReservations(), leases: held }, request);
}

function newLease(paths: HostPaths, cpus: IndexSet, { reservation }: LeaseRequest, command: string): Lease {
  const owner = readOwner(paths);
  return {
    id: jobId(owner, serial),
    cpus,
    command,
    reservation,
    maker: { ...owner, bootId: bootId(paths) },
    since: new Date().toISOString(),
    unit: undefined,
    group: undefined,
  };
}

function handle(store: LeaseStore, lease: Lease): Pick<TakenLease, 'bind' | 'release'> {
  return {
    bind({ unit, group }) {
      if (group === undefined) return writeLease(store, { ...lease, unit });
      const inode = inodeOf(group.folder);
      if (inode === undefined) {
        throw new SlicectlError('E_GATE', `the group ${group.cgroup} went before its lease was written down`, {
          hint: 'start it again',
        });
      }
      writeLease(store, { ...lease, unit, group: { ...group, inode } });
    },
    release: () => removeLease(store, lease.id),
  };
}

/** Removes leases whose jobs are over and whose makers are gone; the CPUs of each that went. */
export async function sweepLeases(store: LeaseStore): Promise<readonly Lease[]> {
  const { over } = readLeases(store);
  if (over.length === 0) return [];
  await withLeases(store, 'sweep of leases', () => undefined);
  return over;
}
