import { equalSets, type IndexSet, parseIndexSet, printIndexSet } from '../core/cpuset.ts';
import type { Interrupt } from '../host/interrupts.ts';
import type { RootTree } from '../host/root-tree.ts';

/** In /run: after a boot other lines may be in the way, or none. */
export const UNMOVED_PATH = '/run/slicectl/cpus-unmoved.json';

/** An interrupt line that the kernel would not move when it was told to, though it lets it be moved. */
export interface Unmoved {
  readonly line: number;
  /** Its controller and source, since numbers are given again. */
  readonly of: string;
  /** Where it was to come. */
  readonly to: IndexSet;
  readonly errno: string;
}

/** None of those that cannot be read: they are tried again. */
export function readUnmoved(tree: RootTree): readonly Unmoved[] {
  try {
    const entries: unknown = JSON.parse(tree.text(UNMOVED_PATH) ?? '[]');
    return Array.isArray(entries) ? entries.flatMap(parseUnmoved) : [];
  } catch {
    return [];
  }
}

function parseUnmoved(entry: Readonly<Record<string, unknown>> | null): readonly Unmoved[] {
  const { line, of, to, errno } = entry ?? {};
  const isEntry =
    typeof line === 'number' && typeof of === 'string' && typeof to === 'string' && typeof errno === 'string';
  return isEntry ? [{ line, of, to: parseIndexSet(to, UNMOVED_PATH), errno }] : [];
}

/** The file; null for none, where there is nothing to note. */
export function unmovedText(all: readonly Unmoved[]): string | null {
  if (all.length === 0) return null;
  const lines = all.map((one) => JSON.stringify({ ...one, to: printIndexSet(one.to) }));
  return `[\n  ${lines.join(',\n  ')}\n]\n`;
}

/** What was noted of a line that was to come just there; its source is empty where no driver listens any more. */
export function unmovedTo(
  all: readonly Unmoved[],
  { number, source }: Pick<Interrupt, 'number' | 'source'>,
  to: IndexSet,
): Unmoved | undefined {
  return all.find((one) => one.line === number && (source === '' || one.of === source) && equalSets(one.to, to));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the interrupt vectors of these CPUs are used up',
  EBUSY: 'it was being moved already',
  EIO: 'the kernel places it itself',
  EPERM: 'the kernel places it itself',
};

/** `ENOSPC: the interrupt vectors of these CPUs are used up`. */
export function unmovedReason({ errno }: Pick<Unmoved, 'errno'>): string {
  const reason = REASONS[errno];
  return reason === undefined ? errno : `${errno}: ${reason}`;
}
