import type { PlanNote } from '../change/plan.ts';
import { type IndexSet, intersection, printIndexSet, union } from '../core/cpuset.ts';
import { badInput } from '../core/errors.ts';
import { type Core, coresOf } from '../host/topology.ts';
import { pickCores } from './pick-cores.ts';
import { checkNamed } from './pick-named.ts';
import { type Ground, heavyCpus, listText, refusePayload, systemCpus } from './roles.ts';

/** Either `cpus` or `cores`. */
export interface PickRequest {
  /** `--cpus`: these and no others. */
  readonly cpus?: IndexSet;
  /** `--cores`: that many whole cores, chosen by the topology. */
  readonly cores?: number;
  /** `--numa-node`: all on this node. */
  readonly node?: number;
  /** `--whole-cores`: a core of which only some threads are in `cpus` is an error, not a warning. */
  readonly wholeCores?: boolean;
  /** `--llc`: all below one last-level cache. */
  readonly sameCache?: boolean;
  /** `--avoid`: none of these. */
  readonly avoid?: IndexSet;
}

export interface Choice {
  readonly payload: IndexSet;
  /** Includes CPUs that are offline now. */
  readonly system: IndexSet;
  /** The NUMA nodes of the payload CPUs. */
  readonly nodes: readonly number[];
  /** Why these, one line each. */
  readonly reasons: readonly string[];
  /** What stays imperfect about it. */
  readonly notes: readonly PlanNote[];
}

/**
 * Chooses the payload CPUs. The same ground and request always give the same choice. Rejects with `E_INPUT` what cannot
 * be meant, and with `E_REFUSED`, both sets named, what this machine cannot give or should not.
 */
export function pick(ground: Ground, request: PickRequest): Choice {
  checkRequest(ground, request);
  const { cpus, cores } = request;
  const chosen =
    cpus === undefined
      ? pickCores(ground, { ...request, cores: cores ?? 0 })
      : { cpus, reasons: checkNamed(ground, { ...request, cpus }) };
  const payload = chosen.cpus;
  const system = systemCpus(ground, payload);
  if (intersection(system, ground.topology.online).length === 0) {
    throw refusePayload(ground, payload, 'nothing would be left for the system', 'leave it at least one core');
  }
  const touched = coresOf(ground.topology, payload);
  const nodes = [...new Set(touched.flatMap(({ node }) => node ?? []))].sort((a, b) => a - b);
  return { payload, system, nodes, reasons: chosen.reasons, notes: notesOn(ground, payload, touched) };
}

function checkRequest({ topology }: Ground, { cpus, cores, node }: PickRequest): void {
  if ((cpus === undefined) === (cores === undefined)) {
    const what = cpus === undefined ? 'are not said' : 'are said twice, by --cpus and by --cores';
    throw badInput(`the payload CPUs ${what}`, 'give either --cpus 2-3,6-7 or --cores 2');
  }
  if (cpus?.length === 0) throw badInput('--cpus names no CPU', 'write for example --cpus 2-3,6-7');
  if (cores !== undefined && (!Number.isSafeInteger(cores) || cores < 1)) {
    throw badInput(`--cores ${cores} is not a number of cores`, 'write for example --cores 2');
  }
  const known = topology.nodes.filter((one) => one.cpus.length > 0).map(({ id }) => id);
  if (node !== undefined && !known.includes(node)) {
    const there =
      known.length === 0 ? 'this kernel knows no NUMA nodes' : `nodes with CPUs are ${printIndexSet(known)}`;
    throw badInput(`--numa-node ${node}: there is no such node with CPUs`, there);
  }
}

function notesOn(ground: Ground, payload: IndexSet, touched: readonly Core[]): PlanNote[] {
  const { topology } = ground;
  const own = new Set(payload);
  const warn = (text: string): PlanNote => ({ severity: 'warning', text });
  const split = touched.filter((core) => core.cpus.some((cpu) => !own.has(cpu)));
  const heavy = intersection(payload, heavyCpus(ground));
  const places = (of: (core: Core) => number | undefined): IndexSet => union(touched.flatMap((core) => of(core) ?? []));
  const [nodes, caches] = [places(({ node }) => node), places(({ cache }) => cache)];
  const kinds = new Set(touched.map(({ kind }) => kind));
  const isSmtOff = /^(off|forceoff|notsupported|notimplemented)$/.test(topology.smtControl ?? '');
  return [
    ...split.map((core) =>
      warn(`the core of CPUs ${printIndexSet(core.cpus)} is split: its threads share their unit of execution`),
    ),
    ...(own.has(topology.bootCpu)
      ? [
          warn(
            `CPU ${topology.bootCpu} is the boot CPU: it keeps time and takes legacy interrupts, whatever is reserved`,
          ),
        ]
      : []),
    ...(heavy.length > 0 ? [warn(`CPUs ${listText(heavy)} take more device interrupts than others`)] : []),
    ...(nodes.length > 1 ? [warn(`the payload CPUs are on NUMA nodes ${printIndexSet(nodes)}`)] : []),
    ...(nodes.length < 2 && caches.length > 1
      ? [warn(`the payload CPUs have ${caches.length} last-level caches among them`)]
      : []),
    ...(kinds.size > 1 ? [warn('the payload has performance cores and efficiency cores')] : []),
    ...(payload.some((cpu) => topology.isolated.includes(cpu))
      ? [
          warn(
            'isolcpus= switched balancing off on the payload CPUs: threads stay on the first one unless they are pinned',
          ),
        ]
      : []),
    ...(topology.offline.length > 0 && !isSmtOff
      ? [
          warn(
            `CPUs ${listText(topology.offline)} are offline, and whose siblings they are shows only when they are back`,
          ),
        ]
      : []),
  ];
}
