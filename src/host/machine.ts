import { type IndexSet, parseIndexSet } from '../core/cpuset.ts';
import { readAmount } from '../core/properties/forms.ts';
import type { Amount, Machine } from '../core/quantity.ts';
import { readLayout } from './cgroups.ts';
import { readBytesIfThere, readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';

const AT_PAGESZ = 6n;

/** Facts that percentages and rounding need. */
export function readMachine(paths: HostPaths): Machine {
  const total = BigInt(/^MemTotal:\s+(\d+) kB/m.exec(readIfThere(`${paths.proc}/meminfo`) ?? '')?.[1] ?? '0') * 1024n;
  const limit = containerMemory(paths);
  const pidMax = sysctl(paths, 'pid_max') ?? 4_194_304n;
  const threadsMax = sysctl(paths, 'threads-max') ?? pidMax;
  return {
    memory: limit === 'infinity' || limit > total ? total : limit,
    tasks: pidMax < threadsMax ? pidMax : threadsMax,
    pageSize: pageSize(paths),
  };
}

/** The limit of the topmost group that shows here: the container's, where this is one. The machine's own root has none. */
function containerMemory(paths: HostPaths): Amount {
  const { v1, v2 } = readLayout(paths);
  const files = [
    ...(v2 ? [`${v2.mount}/memory.max`] : []),
    ...(v1.has('memory') ? [`${v1.get('memory')?.mount}/memory.limit_in_bytes`] : []),
  ];
  return files.map((file) => readAmount(readIfThere(file))).find((amount) => amount !== undefined) ?? 'infinity';
}

function sysctl(paths: HostPaths, name: string): bigint | undefined {
  const text = readIfThere(`${paths.proc}/sys/kernel/${name}`)?.trim();
  return text ? BigInt(text) : undefined;
}

/** From the auxiliary vector, pairs of 64-bit words (getauxval(3)); 4096 where it cannot be read. */
function pageSize(paths: HostPaths): bigint {
  const bytes = readBytesIfThere(`${paths.proc}/self/auxv`) ?? Buffer.alloc(0);
  const words = new BigUint64Array(Uint8Array.from(bytes.subarray(0, bytes.length & ~7)).buffer);
  for (let at = 0; at + 1 < words.length; at += 2) if (words[at] === AT_PAGESZ) return words[at + 1] ?? 4096n;
  return 4096n;
}

/** The CPUs and memory nodes of the machine. A machine without NUMA has node 0 alone. */
export interface Indices {
  readonly online: IndexSet;
  readonly present: IndexSet;
}

export function readCpus(paths: HostPaths): Indices {
  return readIndices(`${paths.sys}/devices/system/cpu`, 'present');
}

export function readNodes(paths: HostPaths): Indices {
  return readIndices(`${paths.sys}/devices/system/node`, 'possible');
}

function readIndices(folder: string, all: string): Indices {
  const online = parseIndexSet(readIfThere(`${folder}/online`) ?? '0', `${folder}/online`);
  const present = parseIndexSet(readIfThere(`${folder}/${all}`) ?? '0', `${folder}/${all}`);
  return { online, present };
}
