import { type IndexSet, intersection, isSubset, printIndexSet, union } from '../../core/cpuset.ts';
import { badInput, SlicectlError } from '../../core/errors.ts';
import { type Core, cpusOf, type Topology } from '../../host/topology.ts';
import { closestCores, compare, firstOf, type Rank, reasonsFor } from '../pick-cores.ts';
import { type Ground, heavyCpus, type Reservation } from '../roles.ts';
import type { Lease } from './record.ts';

export interface LeaseRequest {
  /** How many whole cores. */
  readonly cores: number;
  /** `--numa-node`: all on this node. */
  readonly node: number | undefined;
  /** `--reservation`: of the CPUs of this payload slice; else of those of the system. */
  readonly reservation: string | undefined;
}

/** What cores are leased from. */
export interface LeaseGround extends Ground {
  /** Leases that hold. */
  readonly leases: readonly Lease[];
  /** Where the group that the job goes into may run. */
  readonly open: IndexSet;
  /** That group, for messages. */
  readonly place: string;
}

export interface LeaseChoice {
  readonly cpus: IndexSet;
  /** Why these, one line each. */
  readonly reasons: readonly string[];
}

/**
 * Chooses free whole cores: below one last-level cache, else on one node, else anywhere; the core of the boot CPU and those
 * with many interrupts last. `E_INPUT` for what cannot be meant, `E_REFUSED` with who has what where too few are free.
 */
export function pickLease(ground: LeaseGround, request: LeaseRequest): LeaseChoice {
  const { topology } = ground;
  checkRequest(ground, request);
  const claims = claimsOn(ground, request);
  const taken = new Set(claims.flatMap(({ cpus }) => cpus));
  const own = request.reservation === undefined ? topology.online : reservationOf(ground, request.reservation).cpus;
  const asked = topology.cores.filter(({ node }) => request.node === undefined || node === request.node);
  const free = asked.filter(({ cpus }) => isSubset(cpus, own) && !cpus.some((cpu) => taken.has(cpu)));
  const rank = rankOf(ground);
  const cost = (core: Core): readonly number[] => [...rank(core), -firstOf(core)];
  const inOrder = free.toSorted((a, b) => compare(cost(a), cost(b)));
  const wish = { cores: request.cores, ...(request.node !== undefined && { node: request.node }) };
  const found = closestCores(topology, inOrder, wish, rank);
  if (found === undefined) throw tooFew(request, asked, free, own, claims);
  return { cpus: cpusOf(found.cores), reasons: reasonsFor(topology, found.cores) };
}

function checkRequest({ topology }: LeaseGround, { cores, node }: LeaseRequest): void {
  if (!Number.isSafeInteger(cores) || cores < 1) {
    throw badInput(`--exclusive ${cores} is not a number of cores`, 'write for example --exclusive 1');
  }
  const known = topology.nodes.filter(({ cpus }) => cpus.length > 0).map(({ id }) => id);
  if (node === undefined || known.includes(node)) return;
  const there = known.length === 0 ? 'this kernel knows no NUMA nodes' : `nodes with CPUs are ${printIndexSet(known)}`;
  throw badInput(`--numa-node ${node}: there is no such node with CPUs`, there);
}

function reservationOf({ reservations }: LeaseGround, wanted: string): Reservation {
  const found = reservations.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const there = reservations.map(({ name }) => name).join(', ');
  throw badInput(
    `there is no reservation for ${wanted}`,
    there === '' ? 'nothing is reserved: slicectl cpus reserve does that' : `there are those for ${there}`,
  );
}

interface Claim {
  readonly cpus: IndexSet;
  /** `leased by job.scope (make)`. */
  readonly who: string;
}

function claimsOn({ topology, reservations, leases, open, place }: LeaseGround, { reservation }: LeaseRequest) {
  const closed = topology.online.filter((cpu) => !open.includes(cpu));
  return [
    ...leases.map((lease): Claim => ({ cpus: lease.cpus, who: `leased by ${holderText(lease)}` })),
    ...reservations
      .filter(({ name }) => name !== reservation)
      .map(({ name, cpus }): Claim => ({ cpus, who: `reserved for ${name}` })),
    ...(reservation === undefined ? [{ cpus: topology.isolated, who: 'isolated by isolcpus=' }] : []),
    { cpus: closed, who: `closed to ${place}` },
  ];
}

/** `job.scope (make)`, or the process that has not made its unit yet. */
export function holderText({ unit, command, maker }: Lease): string {
  return `${unit ?? `process ${maker.pid}`} (${command})`;
}

function rankOf(ground: LeaseGround): Rank {
  const heavy = new Set(heavyCpus(ground));
  const { bootCpu } = ground.topology;
  return ({ kind, cpus }) => [
    cpus.includes(bootCpu) ? 1 : 0,
    kind === 'efficiency' ? 1 : 0,
    cpus.some((cpu) => heavy.has(cpu)) ? 1 : 0,
  ];
}

function tooFew(
  { cores: count, node, reservation }: LeaseRequest,
  asked: Topology['cores'],
  free: readonly Core[],
  own: IndexSet,
  claims: readonly Claim[],
): SlicectlError {
  const place = [
    ...(node === undefined ? [] : [` on NUMA node ${node}`]),
    ...(reservation === undefined ? [] : [` in the reservation for ${reservation}`]),
  ].join('');
  const field = intersection(own, cpusOf(asked));
  const holders = claims
    .map(({ cpus, who }) => ({ cpus: intersection(cpus, field), who }))
    .filter(({ cpus }) => cpus.length > 0);
  const split = asked.filter(({ cpus }) => !isSubset(cpus, own) && cpus.some((cpu) => own.includes(cpu)));
  const parts = [
    ...holders.map(({ cpus, who }) => `CPUs ${printIndexSet(cpus)} ${who}`),
    ...(split.length === 0 ? [] : [`CPUs ${printIndexSet(union(intersection(cpusOf(split), own)))} no whole core`]),
  ];
  const what = count === 1 ? 'one free core was asked for' : `${count} free cores were asked for`;
  const there = free.length === 0 ? 'none is free' : free.length === 1 ? 'one is free' : `${free.length} are free`;
  const wide = node !== undefined && parts.length === 0 ? `: it has ${asked.length}` : '';
  return new SlicectlError(
    'E_REFUSED',
    `${what} and ${there}${place}${wide}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`,
    {
      hint: 'ask for fewer, or try again when a job has ended; slicectl cpus show has who holds what',
      data: {
        free: printIndexSet(cpusOf(free)),
        holders: holders.map((one) => ({ ...one, cpus: printIndexSet(one.cpus) })),
      },
    },
  );
}
