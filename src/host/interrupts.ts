import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs';
import { parseCpuMask } from '../core/cpu-mask.ts';
import { type IndexSet, parseIndexSet } from '../core/cpuset.ts';
import { errnoOf, SlicectlError } from '../core/errors.ts';
import { readIfThere } from './files.ts';
import type { HostPaths } from './paths.ts';
import { foldersIn } from './tree.ts';

/** One interrupt line of a device. */
export interface Interrupt {
  readonly number: number;
  /** The drivers that listen, such as `nvme0q3`; empty where none does any more. */
  readonly name: string;
  /** Controller and trigger, such as `PCI-MSIX-0000:00:02.0 1-edge`. */
  readonly source: string;
  /** How often it came since boot on each CPU, where it did. */
  readonly counts: ReadonlyMap<number, number>;
  /** Where it may come; undefined where the kernel does not say. */
  readonly affinity: IndexSet | undefined;
  /** Where it comes (Linux 4.15). */
  readonly effective: IndexSet | undefined;
}

export interface Interrupts {
  readonly lines: readonly Interrupt[];
  /** Where a new line may come. */
  readonly defaultAffinity: IndexSet | undefined;
}

/** Reads all lines with what they count; `last` is the highest possible CPU, which bounds the kernel's masks. */
export function readInterrupts(paths: HostPaths, last: number): Interrupts {
  const counted = parseInterrupts(readIfThere(`${paths.proc}/interrupts`) ?? '');
  const folder = `${paths.proc}/irq`;
  const numbers = new Set([...counted.keys(), ...foldersIn(folder).flatMap((name) => (isNumber(name) ? +name : []))]);
  const list = (path: string): IndexSet | undefined => {
    const text = readableIfThere(path);
    return text === undefined ? undefined : parseIndexSet(text.trim(), path);
  };
  const lines = [...numbers]
    .sort((a, b) => a - b)
    .map((number) => ({
      number,
      ...(counted.get(number) ?? { name: '', source: '', counts: new Map() }),
      affinity: list(`${folder}/${number}/smp_affinity_list`),
      effective: list(`${folder}/${number}/effective_affinity_list`),
    }));
  const mask = readIfThere(`${folder}/default_smp_affinity`);
  return {
    lines,
    defaultAffinity: mask === undefined ? undefined : parseCpuMask(mask, 'default_smp_affinity', last),
  };
}

/** `refuses`: the kernel spreads the line itself (managed queues), or it belongs to a CPU. `unknown`: nobody was told. */
export type Movability = 'moves' | 'refuses' | 'unknown';

/** What {@link movabilityOf} says of the lines that have an affinity. */
export function readMovability(paths: HostPaths, { lines }: Interrupts): ReadonlyMap<number, Movability> {
  const placed = lines.filter(({ affinity }) => affinity !== undefined);
  return new Map(placed.map(({ number }) => [number, movabilityOf(`${paths.proc}/irq/${number}/smp_affinity_list`)]));
}

/**
 * Whether the kernel lets a line be moved at all, by its file. It shows by the mode since 6.12; before that only a writer
 * is told, before the kernel reads what is written (write_irq_affinity, kernel/irq/proc.c): text that is no list changes
 * nothing, and is EINVAL for a line that can be moved. Who may not write, as in a sandbox, is told nothing.
 */
export function movabilityOf(path: string): Movability {
  let fd = -1;
  try {
    if ((statSync(path).mode & 0o222) === 0) return 'refuses';
    fd = openSync(path, constants.O_WRONLY);
    writeSync(fd, 'x');
    return 'unknown';
  } catch (error) {
    return (fd === -1 ? undefined : ANSWERS[errnoOf(error) ?? '']) ?? 'unknown';
  } finally {
    if (fd !== -1) closeSync(fd);
  }
}

/** EIO became EPERM in 6.12. */
const ANSWERS: Readonly<Record<string, Movability>> = { EINVAL: 'moves', EIO: 'refuses', EPERM: 'refuses' };

/** Lines whose controller cannot be asked answer EIO or EINVAL to a read. */
function readableIfThere(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (error) {
    if (['EIO', 'EINVAL', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

/** The numbered rows of /proc/interrupts: the others (LOC, RES…) are of each CPU itself. */
export function parseInterrupts(text: string): ReadonlyMap<number, Pick<Interrupt, 'name' | 'source' | 'counts'>> {
  const [head = '', ...rows] = text.split('\n');
  // Only CPUs that are online have a column.
  const cpus = [...head.matchAll(/CPU(\d+)/g)].map(([, cpu]) => Number(cpu));
  const found = new Map<number, Pick<Interrupt, 'name' | 'source' | 'counts'>>();
  for (const row of rows) {
    const [, number, rest] = /^\s*(\d+):(.*)$/.exec(row) ?? [];
    if (number === undefined || rest === undefined) continue;
    const counts = new Map<number, number>();
    let at = 0;
    for (const cpu of cpus) {
      const [all, count] = /^\s*(\d+)/.exec(rest.slice(at, at + 32)) ?? [];
      if (all === undefined) break;
      at += all.length;
      if (count !== '0') counts.set(cpu, Number(count));
    }
    found.set(Number(number), { ...namesOf(rest.slice(at).trim()), counts });
  }
  return found;
}

/** `PCI-MSI 524288-edge      nvme0q0`: two blanks are before the names (show_interrupts, kernel/irq/proc.c). */
function namesOf(text: string): Pick<Interrupt, 'name' | 'source'> {
  const [, source = text, name = ''] = /^(.*?(?:edge|level|fasteoi)\S*)(?:\s+(.*))?$/i.exec(text) ?? [];
  return { source: source.replaceAll(/\s+/g, ' '), name };
}

/** How many device interrupts came on each CPU since boot. */
export function interruptLoad({ lines }: Interrupts): ReadonlyMap<number, number> {
  const load = new Map<number, number>();
  for (const { counts } of lines) for (const [cpu, count] of counts) load.set(cpu, (load.get(cpu) ?? 0) + count);
  return load;
}

/** CPUs that irqbalance is told to leave alone, and where. */
export interface BannedCpus {
  readonly path: string;
  readonly variable: string;
  /** Undefined where irqbalance could not read it either. */
  readonly cpus: IndexSet | undefined;
  readonly text: string;
}

/** Debian's place, and that of Fedora, SUSE and Arch. */
const IRQBALANCE_FILES = ['default/irqbalance', 'sysconfig/irqbalance'];

/** The ban lists that are set; undefined where irqbalance has no configuration. */
export function readBannedCpus(paths: HostPaths, last: number): readonly BannedCpus[] | undefined {
  const texts = IRQBALANCE_FILES.flatMap((name) => {
    const text = readIfThere(`${paths.etc}/${name}`);
    return text === undefined ? [] : [{ path: `${paths.etc}/${name}`, text }];
  });
  if (texts.length === 0) return undefined;
  return texts.flatMap(({ path, text }) =>
    [...text.matchAll(/^\s*(IRQBALANCE_BANNED_CPU(?:S|LIST))=(.*)$/gm)].map(([, variable = '', value = '']) => {
      const bare = value.trim().replace(/^(["'])(.*)\1$/, '$2');
      const read = (): IndexSet =>
        variable === 'IRQBALANCE_BANNED_CPUS' ? parseCpuMask(bare, variable, last) : parseIndexSet(bare, variable);
      return { path, variable, cpus: orUndefined(read), text: bare };
    }),
  );
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SlicectlError && error.code === 'E_INPUT') return undefined;
    throw error;
  }
}

/** Where the kernel's unbound workers may run (Documentation/core-api/workqueue.rst). */
export interface Workqueues {
  readonly cpumask: IndexSet;
  /** Taken off by isolated partitions (6.7). */
  readonly isolated: IndexSet;
  /** As it was written before that (6.7). */
  readonly requested: IndexSet | undefined;
  /** Those with a mask of their own, such as `writeback`. */
  readonly queues: readonly { readonly name: string; readonly cpumask: IndexSet }[];
}

export function readWorkqueues(paths: HostPaths, last: number): Workqueues | undefined {
  const folder = `${paths.sys}/devices/virtual/workqueue`;
  const mask = (path: string): IndexSet | undefined => {
    const text = readIfThere(`${folder}/${path}`);
    return text === undefined ? undefined : parseCpuMask(text, path, last);
  };
  const cpumask = mask('cpumask');
  if (cpumask === undefined) return undefined;
  const queues = foldersIn(folder)
    .sort()
    .flatMap((name) => {
      const own = mask(`${name}/cpumask`);
      return own === undefined ? [] : [{ name, cpumask: own }];
    });
  return { cpumask, isolated: mask('cpumask_isolated') ?? [], requested: mask('cpumask_requested'), queues };
}
