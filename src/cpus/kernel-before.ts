import { type IndexSet, parseIndexSet, printIndexSet } from '../core/cpuset.ts';
import { quote, SlicectlError } from '../core/errors.ts';
import type { RootTree } from '../host/root-tree.ts';

/** In /run, since what the kernel has goes with the boot too. */
export const KERNEL_BEFORE_PATH = '/run/slicectl/cpus-before.json';

/** The kernel's own work that reservations keep off payload CPUs, by the names that `Wanted` has for it. */
export const KERNEL_KINDS = ['interrupts', 'workqueues', 'kernelThreads'] as const;

export type KernelKind = (typeof KERNEL_KINDS)[number];

/** The CPUs that something had before slicectl gave it others. */
export interface Former {
  /** Within its kind: `default_smp_affinity` or a line's number, `cpumask` or `writeback/cpumask`, a thread's id. */
  readonly id: string;
  /** Whose that number is, since numbers are given again: controller and source of a line, the name of a thread. */
  readonly of: string;
  readonly cpus: IndexSet;
}

/** What had which CPUs before slicectl first gave it others in this boot. What it never changed is not in it. */
export type KernelBefore = Readonly<Record<KernelKind, readonly Former[]>>;

export const NOTHING_BEFORE: KernelBefore = { interrupts: [], workqueues: [], kernelThreads: [] };

/** The file; null for none, where there is nothing to remember. */
export function kernelBeforeText(before: KernelBefore): string | null {
  if (KERNEL_KINDS.every((kind) => before[kind].length === 0)) return null;
  const kinds = KERNEL_KINDS.map((kind) => {
    const lines = before[kind].map(({ id, of, cpus }) => JSON.stringify({ id, of, cpus: printIndexSet(cpus) }));
    return ` ${JSON.stringify(kind)}: [${lines.map((line) => `\n  ${line}`).join(',')}]`;
  });
  return `{\n${kinds.join(',\n')}\n}\n`;
}

/** `E_SYNTAX` for a file that slicectl did not write so, `E_FILE` for one that cannot be read. */
export function readKernelBefore(tree: RootTree): KernelBefore {
  const text = tree.text(KERNEL_BEFORE_PATH);
  return text === undefined ? NOTHING_BEFORE : parseKernelBefore(text);
}

export function parseKernelBefore(text: string): KernelBefore {
  const all = objectIn(parsed(text), 'it');
  const strange = Object.keys(all).find((key) => !KERNEL_KINDS.some((kind) => kind === key));
  if (strange !== undefined) throw fault(`this slicectl does not know ${quote(strange)}`);
  const listOf = (kind: KernelKind): readonly Former[] => {
    const list = all[kind] ?? [];
    if (!Array.isArray(list)) throw fault(`${kind} is no list`);
    return list.map((entry: unknown) => parseFormer(entry, kind));
  };
  return {
    interrupts: listOf('interrupts'),
    workqueues: listOf('workqueues'),
    kernelThreads: listOf('kernelThreads'),
  };
}

function parseFormer(entry: unknown, kind: KernelKind): Former {
  const { id, of, cpus } = objectIn(entry, `what is in ${kind}`);
  if (typeof id !== 'string' || typeof of !== 'string' || typeof cpus !== 'string') {
    throw fault(`an entry of ${kind} lacks id, of or cpus`);
  }
  const set = setOf(cpus, `${kind} ${id}`);
  if (set.length === 0) throw fault(`${kind} ${quote(id)} names no CPU`);
  return { id, of, cpus: set };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw fault('it is no JSON', error);
    throw error;
  }
}

function objectIn(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw fault(`${what} is no object`);
}

function setOf(text: string, name: string): IndexSet {
  try {
    return parseIndexSet(text, name);
  } catch (error) {
    if (error instanceof SlicectlError) throw fault(error.message, error);
    throw error;
  }
}

function fault(why: string, cause?: unknown): SlicectlError {
  const path = KERNEL_BEFORE_PATH;
  return new SlicectlError('E_SYNTAX', `${path} does not say what had which CPUs before: ${why}`, {
    hint: 'mend it, or remove it and see after the release which CPUs interrupts, workqueues and kernel threads have',
    data: { path },
    cause,
  });
}
