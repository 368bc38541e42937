import type { Action, Parameters } from '../../change/plan.ts';
import { parseCpuMask } from '../../core/cpu-mask.ts';
import { equalSets, type IndexSet, MAX_INDEX, parseIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readIfThere } from '../../host/files.ts';
import { parseInterrupts } from '../../host/interrupts.ts';
import { readUnmoved, UNMOVED_PATH, type Unmoved, unmovedReason, unmovedText } from '../unmoved.ts';
import type { HoldHost } from './host.ts';
import { errnoIn, writeKernel } from './kernel-file.ts';
import type { KernelParameters } from './parameters.ts';
import { putRunFile } from './run-file.ts';
import { settled } from './settle.ts';

/** What the files said; without those that were gone. */
type KernelFacts = Readonly<Record<string, string>>;

/** Managed queues answer EPERM or EIO, and a CPU whose vectors are used up ENOSPC (kernel/irq/proc.c, manage.c). */
const CANNOT_MOVE: ReadonlySet<string> = new Set(['EPERM', 'EIO', 'ENOSPC', 'EBUSY']);

/**
 * `cpus.kernel`. What stands in the files is noted when they are written, since irqbalance moves lines all the time; only
 * a file that still says what was written goes back. Fails where interrupts were not moved, of which none is left untried:
 * which they are is noted for the next plan.
 */
export function kernelAction(host: Pick<HoldHost, 'paths' | 'tree'>, write = writeKernel): Action {
  return {
    assertAsPlanned: async () => undefined,
    async facts(parameters) {
      const found = read(parameters).writes.map(({ path }) => [path, readIfThere(path)?.trim()] as const);
      return { before: Object.fromEntries(found.filter(([, text]) => text !== undefined)) };
    },
    async carryOut(parameters, facts) {
      const { form, writes } = read(parameters);
      const before = beforeIn(facts);
      const unmoved = new Map<string, string>();
      for (const { path, after } of writes) {
        if (before[path] === undefined || readIfThere(path) === undefined) continue;
        const isSo = (): boolean => isSame(form, readIfThere(path) ?? after, after);
        if (isSo()) continue;
        const errno = await unlessBusy(() => attempt(write, path, after));
        if (errno !== undefined) unmoved.set(path, errno);
        else if (!(await settled(isSo, (yes) => yes))) throw notSo(path, after);
      }
      const left = note(host, writes, unmoved);
      if (left.length > 0) throw notMoved(left);
      return undefined;
    },
    async takeBack(parameters, facts) {
      const { form, writes } = read(parameters);
      const before = beforeIn(facts);
      for (const { path, after } of writes) {
        const [was, now] = [before[path], readIfThere(path)];
        if (was === undefined || now === undefined || !isSame(form, now, after) || isSame(form, now, was)) continue;
        await unlessBusy(() => attempt(write, path, was));
      }
    },
  };
}

/** A line is busy while its last move is under way (assign_vector_locked, arch/x86/kernel/apic/vector.c). */
function unlessBusy(tryIt: () => string | undefined): Promise<string | undefined> {
  return settled(tryIt, (failure) => failure !== 'EBUSY');
}

/** Writes down which lines were not moved, in place of what was known of those that were tried. */
function note(
  { paths, tree }: Pick<HoldHost, 'paths' | 'tree'>,
  writes: KernelParameters['writes'],
  unmoved: ReadonlyMap<string, string>,
): readonly Unmoved[] {
  const sources = parseInterrupts(readIfThere(`${paths.proc}/interrupts`) ?? '');
  const tried = writes.flatMap(({ path, after }) => {
    const line = Number(LINE.exec(path)?.[1]);
    return Number.isNaN(line) ? [] : [{ line, after, errno: unmoved.get(path) }];
  });
  const known = readUnmoved(tree);
  const others = known.filter(({ line }) => !tried.some((one) => one.line === line));
  const left = tried.flatMap(({ line, after, errno }): Unmoved[] =>
    errno === undefined
      ? []
      : [{ line, of: sources.get(line)?.source ?? '', to: parseIndexSet(after, UNMOVED_PATH), errno }],
  );
  if (left.length > 0 || others.length < known.length) {
    putRunFile(tree, UNMOVED_PATH, unmovedText([...others, ...left]));
  }
  return left;
}

const LINE = /\/irq\/(\d+)\/smp_affinity_list$/;

function attempt(write: typeof writeKernel, path: string, text: string): string | undefined {
  try {
    write(path, text);
    return undefined;
  } catch (error) {
    const errno = errnoIn(error);
    // A line whose device has gone.
    if (errno === 'ENOENT') return undefined;
    if (errno !== undefined && LINE.test(path) && CANNOT_MOVE.has(errno)) return errno;
    throw error;
  }
}

function isSame(form: KernelParameters['form'], one: string, other: string): boolean {
  const set = (text: string): IndexSet =>
    form === 'list' ? parseIndexSet(text.trim(), 'list') : parseCpuMask(text, 'mask', MAX_INDEX);
  return equalSets(set(one), set(other));
}

function beforeIn(facts: Parameters): KernelFacts {
  return (facts as unknown as { before: KernelFacts }).before;
}

function read(parameters: Parameters): KernelParameters {
  return parameters as unknown as KernelParameters;
}

const SHOWN_LINES = 8;

function notMoved(unmoved: readonly Unmoved[]): SlicectlError {
  const shown = unmoved.slice(0, SHOWN_LINES).map((one) => `${one.line} (${unmovedReason(one)})`);
  const more = unmoved.length > SHOWN_LINES ? ` and ${unmoved.length - SHOWN_LINES} more` : '';
  return new SlicectlError(
    'E_NOT_IN_FORCE',
    `the kernel did not move interrupt ${unmoved.length === 1 ? 'line' : 'lines'} ${shown.join(', ')}${more}`,
    {
      hint: `do it again, and they stay where they are: ${UNMOVED_PATH} has them, and without it they are tried anew`,
      data: { lines: unmoved.map(({ line, errno }) => ({ line, errno })) },
    },
  );
}

function notSo(path: string, after: string): SlicectlError {
  return new SlicectlError(
    'E_NOT_IN_FORCE',
    `${path} says ${(readIfThere(path) ?? '').trim()} after ${after} was written`,
    {
      hint: 'does irqbalance or another program write there too?',
      data: { path, value: after },
    },
  );
}
