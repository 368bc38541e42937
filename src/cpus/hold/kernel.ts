import type { Action, Parameters } from '../../change/plan.ts';
import { parseCpuMask } from '../../core/cpu-mask.ts';
import { equalSets, type IndexSet, MAX_INDEX, parseIndexSet } from '../../core/cpuset.ts';
import { SlicectlError } from '../../core/errors.ts';
import { readIfThere } from '../../host/files.ts';
import { errnoIn, writeKernel } from './kernel-file.ts';
import type { KernelParameters } from './parameters.ts';
import { settled } from './settle.ts';

/** What the files said; without those that were gone. */
type KernelFacts = Readonly<Record<string, string>>;

/** Managed queues answer EPERM or EIO, and a CPU whose vectors are used up ENOSPC (kernel/irq/proc.c, manage.c). */
const CANNOT_MOVE: ReadonlySet<string> = new Set(['EPERM', 'EIO', 'ENOSPC', 'EBUSY']);

/**
 * `cpus.kernel`. What stands in the files is noted when they are written, since irqbalance moves lines all the time; only
 * a file that still says what was written goes back. Interrupts that cannot be moved are noted as `unmoved`.
 */
export function kernelAction(): Action {
  return {
    assertAsPlanned: async () => undefined,
    async facts(parameters) {
      const found = read(parameters).writes.map(({ path }) => [path, readIfThere(path)?.trim()] as const);
      return { before: Object.fromEntries(found.filter(([, text]) => text !== undefined)) };
    },
    async carryOut(parameters, facts) {
      const { form, writes } = read(parameters);
      const before = beforeIn(facts);
      const unmoved: { path: string; errno: string }[] = [];
      for (const { path, after } of writes) {
        if (before[path] === undefined || readIfThere(path) === undefined) continue;
        const isSo = (): boolean => isSame(form, readIfThere(path) ?? after, after);
        if (isSo()) continue;
        const errno = attempt(path, after);
        if (errno !== undefined) unmoved.push({ path, errno });
        else if (!(await settled(isSo, (yes) => yes))) throw notSo(path, after);
      }
      return unmoved.length > 0 ? { unmoved } : undefined;
    },
    async takeBack(parameters, facts) {
      const { form, writes } = read(parameters);
      const before = beforeIn(facts);
      for (const { path, after } of writes) {
        const [was, now] = [before[path], readIfThere(path)];
        if (was === undefined || now === undefined || !isSame(form, now, after) || isSame(form, now, was)) continue;
        attempt(path, was);
      }
    },
  };
}

function attempt(path: string, text: string): string | undefined {
  try {
    writeKernel(path, text);
    return undefined;
  } catch (error) {
    const errno = errnoIn(error);
    // A line whose device has gone.
    if (errno === 'ENOENT') return undefined;
    if (errno !== undefined && path.includes('/irq/') && CANNOT_MOVE.has(errno)) return errno;
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
