import { type IndexSet, intersection, printIndexSet, union } from '../../core/cpuset.ts';
import { approximateSize } from '../../core/quantity.ts';
import type { Core, LastLevelCache, NumaNode, Topology } from '../../host/topology.ts';

export type Paint = (style: 'dim' | 'green' | 'yellow' | 'red' | 'bold', text: string) => string;

export interface PictureStyle {
  /** Columns of the terminal. */
  readonly width: number;
  readonly paint: Paint;
}

/** From this many CPUs on a row is for a cache, and no core is shown. */
const MANY_CPUS = 128;
/** With more caches than this, a row is for a node. */
const MANY_CACHES = 40;
const INDENT = '    ';

/** Cores that share package, node and cache. */
interface Block {
  readonly package: number | undefined;
  readonly node: NumaNode | undefined;
  readonly caches: readonly LastLevelCache[];
  readonly cores: readonly Core[];
}

/**
 * The machine as a picture: packages, nodes, last-level caches, and cores in brackets with their threads. With 128 CPUs
 * and more, cores are counted; with very many caches, those too.
 */
export function pictureText(topology: Topology, payload: IndexSet, style: PictureStyle): string {
  const isLarge = topology.online.length >= MANY_CPUS;
  const marks = marksOf(topology, payload);
  const blocks = blocksOf(topology, isLarge && topology.caches.length > MANY_CACHES ? 'node' : 'cache');
  const rowsOf = (block: Block): string[] =>
    isLarge ? countRows(block, marks, style) : coreRows(block, marks, topology.online, style);
  const memoryAlone = topology.nodes.filter(({ cpus }) => cpus.length === 0);
  const lines = [
    ...wrapped('', headLine(topology), style.width),
    ...blocks.flatMap((block, at) => [...placeRows(block, blocks[at - 1]), ...rowsOf(block)]),
    ...memoryAlone.map((node) => `${nodeText(node)}, memory alone`),
    ...(topology.offline.length === 0 ? [] : [style.paint('dim', `offline: ${printIndexSet(topology.offline)}`)]),
    ...(isLarge ? [] : legend(marks, topology.online, style)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function blocksOf({ cores, nodes, caches }: Topology, by: 'cache' | 'node'): Block[] {
  const groups = new Map<string, Core[]>();
  for (const core of cores) {
    const key = [core.package, core.node, ...(by === 'cache' ? [core.cache] : [])].map((id) => id ?? '').join('/');
    const members = groups.get(key);
    if (members) members.push(core);
    else groups.set(key, [core]);
  }
  const orderOf = ({ package: id, node }: Block): number => (id ?? -1) * 1e6 + (node?.id ?? -1);
  return [...groups.values()]
    .map((members) => ({
      package: members[0]?.package,
      node: nodes.find(({ id }) => id === members[0]?.node),
      caches: [...new Set(members.map(({ cache }) => cache))].flatMap((at) =>
        at === undefined ? [] : (caches[at] ?? []),
      ),
      cores: members,
    }))
    .toSorted((a, b) => orderOf(a) - orderOf(b));
}

function headLine({ cores, nodes, caches, online }: Topology): string {
  const packages = new Set(cores.map((core) => core.package)).size;
  const levels = [...new Set(caches.map(({ level }) => `L${level}`))].sort();
  const parts = [
    counted(packages, 'package'),
    nodes.length === 0 ? 'no NUMA' : counted(nodes.length, 'NUMA node'),
    caches.length === 0 ? 'caches not told' : counted(caches.length, `${levels.join('/')} cache`),
    coresText(cores),
    ...(['performance', 'efficiency'] as const).flatMap((kind) => {
      const own = cores.filter((core) => core.kind === kind).length;
      return own === 0 ? [] : [`${own} for ${kind}`];
    }),
  ];
  return `${counted(online.length, 'CPU')} online: ${parts.join(', ')}`;
}

/** The lines for a package and a node where they are others than those of the block before. */
function placeRows(block: Block, before: Block | undefined): string[] {
  const isNewPackage = before === undefined || before.package !== block.package;
  const isNewNode = isNewPackage || before.node !== block.node;
  return [
    ...(isNewPackage ? [block.package === undefined ? 'package not told' : `package ${block.package}`] : []),
    ...(isNewNode && block.node ? [`  ${nodeText(block.node)}`] : []),
  ];
}

function nodeText({ id, memoryBytes }: NumaNode): string {
  return `node ${id}, ${approximateSize(memoryBytes)}`;
}

function cacheText(caches: readonly LastLevelCache[]): string {
  const [first] = caches;
  if (first === undefined) return '';
  const size = first.bytes === undefined ? '' : ` ${approximateSize(first.bytes)}`;
  return caches.length === 1
    ? `L${first.level}${size}  `
    : `${caches.length} L${first.level} caches${size && ` of${size}`}  `;
}

/** The cores of a block, wrapped: `L3 32M  [0b 1] [2 3]`, and performance cores (P) and others (E) in rows of their own. */
function coreRows(block: Block, marks: readonly Mark[], online: IndexSet, style: PictureStyle): string[] {
  const cellOf = (cpu: number): string => `${cpu}${marksText(marks, cpu)}`;
  const cellWidth = Math.max(...online.map((cpu) => cellOf(cpu).length));
  const kinds = [...new Set(block.cores.map(({ kind }) => kind))];
  return kinds.flatMap((kind, at) => {
    const cache = cacheText(block.caches);
    const label = kind === undefined ? '' : kind === 'performance' ? 'P ' : 'E ';
    const head = `${INDENT}${at === 0 ? cache : ' '.repeat(cache.length)}${label}`;
    const cells = block.cores
      .filter((core) => core.kind === kind)
      .map(({ cpus }) => ({
        width: cpus.length * (cellWidth + 1) + 1,
        text: `[${cpus.map((cpu) => paintCpu(cellOf(cpu).padEnd(cellWidth), cpu, marks, style.paint)).join(' ')}]`,
      }));
    return rowsOfCells(head, cells, style.width);
  });
}

interface Cell {
  /** Columns that the text takes, without its colours. */
  readonly width: number;
  readonly text: string;
}

function rowsOfCells(head: string, cells: readonly Cell[], width: number): string[] {
  const rows: string[][] = [];
  let taken = width;
  for (const cell of cells) {
    if (taken + cell.width > width) {
      rows.push([]);
      taken = head.length;
    }
    rows.at(-1)?.push(cell.text);
    taken += cell.width + 1;
  }
  return rows.map((row, at) => `${at === 0 ? head : ' '.repeat(head.length)}${row.join(' ')}`);
}

/** A block without its cores: `L3 32M  0-31,64-95: 32 cores with 2 threads`, and what is special in it. */
function countRows(block: Block, marks: readonly Mark[], { width, paint }: PictureStyle): string[] {
  const cpus = union(...block.cores.map((core) => core.cpus));
  const special = marks.flatMap(({ cpus: marked, meaning, style }) => {
    const here = intersection(cpus, marked);
    const name = here.length > 1 ? meaning.replace(/CPU$/, 'CPUs') : meaning;
    const rows = here.length === 0 ? [] : wrapped(`${INDENT}  ${name} `, printIndexSet(here), width);
    return rows.map((text) => paint(style, text));
  });
  const text = `${cacheText(block.caches)}${coresText(block.cores)}: `;
  return [...wrapped(`${INDENT}${text}`, printIndexSet(cpus), width), ...special];
}

/** A list behind a head, broken after commas where it does not fit. */
export function wrapped(head: string, list: string, width: number): string[] {
  const rows: string[] = [];
  let row = head;
  for (const part of list.match(/[^,]+,? ?/g) ?? []) {
    if (row.length + part.trimEnd().length > width && row.trim() !== '' && row !== head) {
      rows.push(row.trimEnd());
      row = ' '.repeat(Math.min(head.length, width >> 1));
    }
    row += part;
  }
  return [...rows, row.trimEnd()];
}

/** What a letter behind a CPU means. */
interface Mark {
  readonly letter: string;
  readonly meaning: string;
  readonly cpus: IndexSet;
  readonly style: Parameters<Paint>[0];
}

function marksOf({ bootCpu, isolated, nohzFull }: Topology, payload: IndexSet): readonly Mark[] {
  const all: readonly Mark[] = [
    { letter: '*', meaning: 'payload CPU', cpus: payload, style: 'green' },
    { letter: 'i', meaning: 'isolcpus', cpus: isolated, style: 'yellow' },
    { letter: 'n', meaning: 'nohz_full', cpus: nohzFull, style: 'dim' },
    { letter: 'b', meaning: 'boot CPU', cpus: [bootCpu], style: 'bold' },
  ];
  return all;
}

function marksText(marks: readonly Mark[], cpu: number): string {
  return marks.map(({ letter, cpus }) => (cpus.includes(cpu) ? letter : '')).join('');
}

function paintCpu(text: string, cpu: number, marks: readonly Mark[], paint: Paint): string {
  const first = marks.find(({ cpus }) => cpus.includes(cpu));
  return first === undefined ? text : paint(first.style, text);
}

function legend(marks: readonly Mark[], online: IndexSet, { paint }: PictureStyle): string[] {
  const used = marks.filter(({ cpus }) => intersection(cpus, online).length > 0);
  const words = used.map(({ letter, meaning, style }) => `${paint(style, letter)} ${meaning}`);
  return words.length === 0 ? [] : [words.join('   ')];
}

function counted(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? '' : 's'}`;
}

/** `4 cores with 2 threads`; threads are not told where each core has one. */
function coresText(cores: readonly Core[]): string {
  const threads = [...new Set(cores.map(({ cpus }) => cpus.length))].sort((a, b) => a - b);
  const told = threads.length === 1 && threads[0] === 1 ? '' : ` with ${threads.join(' or ')} threads`;
  return `${counted(cores.length, 'core')}${told}`;
}
