import { type IndexSet, intersection, isSubset, printIndexSet, without } from '../core/cpuset.ts';
import { coresOf, splitCores } from '../host/topology.ts';
import type { PickRequest } from './pick.ts';
import { type Ground, listText, refusePayload } from './roles.ts';

/** Checks CPUs that were named against the machine; gives the reasons that speak for them. `E_REFUSED` otherwise. */
export function checkNamed(ground: Ground, request: PickRequest & { readonly cpus: IndexSet }): string[] {
  const { cpus } = request;
  checkPresence(ground, cpus);
  checkClaims(ground, cpus, request.avoid ?? []);
  return ['they were named', ...checkTopology(ground, request)];
}

function checkPresence(ground: Ground, cpus: IndexSet): void {
  const { topology } = ground;
  const absent = without(cpus, topology.present);
  const offline = intersection(cpus, topology.offline);
  if (absent.length > 0) {
    const what = `this machine has no CPU ${printIndexSet(absent)}`;
    throw refusePayload(ground, cpus, what, `it has ${printIndexSet(topology.present)}`);
  }
  if (offline.length > 0) {
    const hint = 'bring it online, or leave it out: a set of offline CPUs alone means all CPUs to the kernel';
    throw refusePayload(ground, cpus, `CPU ${printIndexSet(offline)} is offline`, hint);
  }
}

/** Whoever else wants the CPUs. */
function checkClaims(ground: Ground, cpus: IndexSet, avoid: IndexSet): void {
  const { topology, reservations } = ground;
  const unwanted = intersection(cpus, avoid);
  if (unwanted.length > 0) {
    throw refusePayload(ground, cpus, `CPU ${printIndexSet(unwanted)} is to be avoided`, 'name other CPUs');
  }
  for (const { name, cpus: taken } of reservations) {
    const both = intersection(cpus, taken);
    if (both.length === 0) continue;
    const hint = `name other CPUs, or release it first: slicectl cpus release ${name}`;
    throw refusePayload(ground, cpus, `CPU ${printIndexSet(both)} is reserved for ${name}`, hint);
  }
  const isolated = intersection(cpus, topology.isolated);
  if (isolated.length > 0 && isolated.length < cpus.length) {
    const why = `CPU ${printIndexSet(isolated)} is isolated by isolcpus= and the others are not`;
    const hint = `the kernel balances no threads between the two kinds: take CPUs of one kind (isolated: ${printIndexSet(topology.isolated)})`;
    throw refusePayload(ground, cpus, why, hint);
  }
}

function checkTopology(
  ground: Ground,
  { cpus, node, wholeCores, sameCache }: PickRequest & { cpus: IndexSet },
): string[] {
  const { topology } = ground;
  const split = splitCores(topology, cpus);
  if (wholeCores && split.length > 0) {
    const cores = split.map((core) => printIndexSet(core.cpus)).join(' and ');
    const missing = without(
      split.flatMap((core) => core.cpus),
      cpus,
    );
    const hint = `add CPU ${printIndexSet(missing)}, or leave out --whole-cores`;
    throw refusePayload(ground, cpus, `the set splits ${split.length > 1 ? 'cores' : 'core'} ${cores}`, hint);
  }
  const ofNode = topology.nodes.find(({ id }) => id === node)?.cpus ?? [];
  const elsewhere = without(cpus, ofNode);
  if (node !== undefined && elsewhere.length > 0) {
    const why = `CPU ${printIndexSet(elsewhere)} is not on NUMA node ${node}`;
    throw refusePayload(ground, cpus, why, `that node has ${listText(ofNode)}`);
  }
  const cache = topology.caches.find((one) => isSubset(cpus, one.cpus));
  if (sameCache && cache === undefined) {
    const why =
      topology.caches.length === 0
        ? 'this machine does not say which CPUs share a cache'
        : 'the CPUs have no last-level cache in common';
    throw refusePayload(ground, cpus, why, 'leave out --llc, or see slicectl cpus show');
  }
  const whole = coresOf(topology, cpus).length;
  return split.length === 0 ? [`they are ${whole} whole core${whole === 1 ? '' : 's'}`] : [];
}
