import { type IndexSet, intersection, printIndexSet, union } from '../core/cpuset.ts';
import { type Core, cpusOf, type Topology } from '../host/topology.ts';
import type { PickRequest } from './pick.ts';
import { type Ground, heavyCpus, listText, refusePayload } from './roles.ts';

export type CoreRequest = PickRequest & { readonly cores: number };

/** Cores that are chosen from together. */
export interface Domain {
  readonly cores: readonly Core[];
  /** Whether all of them share the last-level cache. */
  readonly sharesCache: boolean;
}

/**
 * Chooses whole cores: below one last-level cache if one has enough of them, else on one node, else anywhere. Taken are
 * performance cores before others, those with few interrupts before others, domains without the boot CPU before the one
 * with it, small domains before large ones, and high numbers before low ones.
 */
export function pickCores(ground: Ground, request: CoreRequest): { cpus: IndexSet; reasons: string[] } {
  const free = freeCores(ground, request);
  const rank = rankOf(ground);
  const cost = (core: Core): readonly number[] => [...rank(core), -firstOf(core)];
  const inOrder = free.cores.toSorted((a, b) => compare(cost(a), cost(b)));
  const found = closestCores(ground.topology, inOrder, request, rank);
  if (found === undefined) throw tooFew(ground, request, inOrder);
  return { cpus: cpusOf(found.cores), reasons: [...reasonsFor(ground.topology, found.cores), ...free.leftOut] };
}

/** Cores that may be taken, and why others may not, one line for each reason. */
function freeCores(ground: Ground, request: CoreRequest): { cores: readonly Core[]; leftOut: string[] } {
  const { topology, reservations } = ground;
  const boot = topology.cores.find(({ cpus }) => cpus.includes(topology.bootCpu))?.cpus ?? [];
  const claims: readonly (readonly [cpus: IndexSet, why: string])[] = [
    [boot, 'the core of the boot CPU, which keeps time and takes legacy interrupts'],
    [request.avoid ?? [], 'to be avoided'],
    [topology.isolated, 'isolated by isolcpus='],
    ...reservations.map(({ name, cpus }) => [cpus, `reserved for ${name}`] as const),
  ];
  const taken = new Set(claims.flatMap(([cpus]) => cpus));
  const cores = topology.cores.filter(
    ({ cpus, node }) => !cpus.some((cpu) => taken.has(cpu)) && (request.node === undefined || node === request.node),
  );
  const leftOut = claims
    .filter(([cpus]) => intersection(cpus, topology.online).length > 0)
    .map(([cpus, why]) => `not ${printIndexSet(cpus)}: ${why}`);
  return { cores, leftOut };
}

/** What speaks against a core, most important first. */
export type Rank = (core: Core) => readonly number[];

function rankOf(ground: Ground): Rank {
  const heavy = new Set(heavyCpus(ground));
  return ({ kind, cpus }) => [kind === 'efficiency' ? 1 : 0, cpus.some((cpu) => heavy.has(cpu)) ? 1 : 0];
}

export function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

export const firstOf = ({ cpus }: Core): number => cpus[0] ?? 0;

/**
 * The best `cores` of those that are free, which are given best first: below one last-level cache, else (unless
 * `sameCache`) on one node, else (unless a node is asked for) anywhere. Undefined where there are too few.
 */
export function closestCores(
  topology: Topology,
  free: readonly Core[],
  { cores: count, sameCache, node }: CoreRequest,
  rank: Rank,
): Domain | undefined {
  const usable = cacheDomains(free, sameCache);
  const nodes = domainsOf(free, nodeKey);
  const one = bestOf(topology, usable, count, rank) ?? (sameCache ? undefined : bestOf(topology, nodes, count, rank));
  if (one) return { ...one, cores: packed(one.cores, count, rank, ({ cache }) => [cache]) };
  if (sameCache || node !== undefined || free.length < count) return undefined;
  return { cores: packed(free, count, rank, nodeKey), sharesCache: false };
}

function cacheDomains(free: readonly Core[], sameCache: boolean | undefined): readonly Domain[] {
  const caches = domainsOf(free, ({ node, cache, package: id }) => [node, cache ?? `package ${id}`]);
  return sameCache ? caches.filter(({ sharesCache }) => sharesCache) : caches;
}

const nodeKey = ({ node, package: id }: Core): readonly unknown[] => [node ?? `package ${id}`];

function groupsOf(cores: readonly Core[], keyOf: (core: Core) => readonly unknown[]): readonly (readonly Core[])[] {
  const groups = new Map<string, Core[]>();
  for (const core of cores) {
    const key = JSON.stringify(keyOf(core));
    const members = groups.get(key);
    if (members) members.push(core);
    else groups.set(key, [core]);
  }
  return [...groups.values()];
}

function domainsOf(cores: readonly Core[], keyOf: (core: Core) => readonly unknown[]): Domain[] {
  return groupsOf(cores, keyOf).map((members) => {
    const caches = new Set(members.map(({ cache }) => cache));
    return { cores: members, sharesCache: caches.size === 1 && !caches.has(undefined) };
  });
}

/** The domain with enough cores whose best ones are best. */
function bestOf(topology: Topology, domains: readonly Domain[], count: number, rank: Rank): Domain | undefined {
  const boot = topology.cores.find(({ cpus }) => cpus.includes(topology.bootCpu));
  const costOf = ({ cores }: Domain): readonly number[] => {
    const best = cores.slice(0, count);
    const sums = best.map(rank).reduce((sum, ranks) => ranks.map((value, at) => value + (sum[at] ?? 0)), []);
    const hasBoot = cores.some(({ cache, node }) => node === boot?.node && cache === boot?.cache);
    return [...sums, hasBoot ? 1 : 0, cores.length, -Math.max(...best.map(firstOf))];
  };
  const enough = domains.filter(({ cores }) => cores.length >= count);
  return enough.toSorted((a, b) => compare(costOf(a), costOf(b)))[0];
}

/** The best `count` cores, and of equally good ones those of the largest groups, so that few groups are touched. */
function packed(
  cores: readonly Core[],
  count: number,
  rank: Rank,
  keyOf: (core: Core) => readonly unknown[],
): readonly Core[] {
  const groups = groupsOf(cores, keyOf).toSorted((a, b) => b.length - a.length);
  return groups
    .flatMap((group, at) => group.map((core) => ({ core, cost: [...rank(core), at, -firstOf(core)] })))
    .toSorted((a, b) => compare(a.cost, b.cost))
    .slice(0, count)
    .map(({ core }) => core);
}

function tooFew(ground: Ground, request: CoreRequest, free: readonly Core[]) {
  const { cores: count, node, sameCache } = request;
  const place = node === undefined ? '' : ` on NUMA node ${node}`;
  const hint = 'ask for fewer, or name the CPUs with --cpus; slicectl cpus show has them all';
  if (sameCache && free.length >= count) {
    const most = cacheDomains(free, true).toSorted((a, b) => b.cores.length - a.cores.length)[0];
    const why =
      most === undefined
        ? 'this machine does not say which CPUs share a cache'
        : `no last-level cache${place} has ${count} free cores: the most are ${most.cores.length}`;
    return refusePayload(ground, cpusOf(most?.cores ?? []), why, 'leave out --llc, or ask for fewer');
  }
  const what = count === 1 ? 'one core was' : `${count} cores were`;
  const there = free.length === 0 ? 'none is free' : free.length === 1 ? 'one is free' : `${free.length} are free`;
  return refusePayload(ground, cpusOf(free), `${what} asked for and ${there}${place}`, hint);
}

export function reasonsFor(topology: Topology, cores: readonly Core[]): string[] {
  const texts = cores.toSorted((a, b) => firstOf(a) - firstOf(b)).map(({ cpus }) => printIndexSet(cpus));
  const shown = texts.length > 8 ? listText(cpusOf(cores)) : texts.join(' and ');
  const nodes = union(cores.flatMap(({ node }) => node ?? []));
  const caches = new Set(cores.map(({ cache }) => cache));
  const cache = topology.caches[cores[0]?.cache ?? -1];
  return [
    `${cores.length} whole core${cores.length === 1 ? '' : 's'} with all threads: ${shown}`,
    ...(nodes.length === 1 && topology.nodes.length > 1 ? [`on NUMA node ${nodes[0]}`] : []),
    ...(cache !== undefined && caches.size === 1
      ? [`below one L${cache.level} cache, of CPUs ${printIndexSet(cache.cpus)}`]
      : []),
  ];
}
