import { errnoOf } from '../../core/errors.ts';
import { readIfThere } from '../../host/files.ts';
import type { HostPaths } from '../../host/paths.ts';
import type { MeasuredCpu } from './model.ts';
import { badAnswer, bucketsOf, type ToolRun } from './tool.ts';

/** Latencies above this are counted by rtla without their size. */
const ENTRIES = 9999;

/** Whether the kernel has the tracer that rtla works with; many distributions build it into their RT kernel alone. */
export function hasTimerlat({ sys }: HostPaths): boolean {
  return [`${sys}/kernel/tracing`, `${sys}/kernel/debug/tracing`].some((folder) =>
    (listOf(`${folder}/available_tracers`) ?? '').split(/\s+/).includes('timerlat'),
  );
}

function listOf(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (error) {
    if (['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** `rtla timerlat hist`: kernel threads that the tracer makes and pins itself, with the same period. */
export function rtlaCommand({ cpus, seconds, priority, intervalUs }: ToolRun): readonly string[] {
  return [
    'rtla',
    'timerlat',
    'hist',
    '-c',
    cpus.join(','),
    '-d',
    `${seconds}s`,
    '-p',
    `${intervalUs}`,
    '-P',
    priority === undefined ? 'o:0' : `f:${priority}`,
    '-b',
    '1',
    '-E',
    `${ENTRIES}`,
  ];
}

/**
 * Reads the table of `rtla timerlat hist` (rtla-timerlat-hist(1)). Only columns of threads (`Thr-002`) are wake-ups; those
 * of interrupts and of user space are parts of them. `E_SYNTAX` for text that is no such table.
 */
export function parseRtla(text: string): readonly MeasuredCpu[] {
  const lines = text.split('\n').map((line) => line.trim());
  const at = lines.findIndex((line) => line.startsWith('Index'));
  const [, ...columns] = (lines[at] ?? '').split(/\s+/);
  if (at === -1 || columns.length === 0) throw badAnswer('rtla', 'no table');
  const rows = new Map<string, readonly string[]>();
  for (const line of lines.slice(at + 1)) {
    const [key = '', ...cells] = line.split(/\s+/);
    // Newer versions let a summary over all CPUs follow, whose rows have the same names.
    if (key === 'ALL:' || rows.has(key)) break;
    if (/^\d+$|^(over|count|min|avg|max):$/.test(key)) rows.set(key, cells);
  }
  const cpus = columns.flatMap((column, place) => {
    const cpu = /^Thr-(\d+)$/.exec(column)?.[1];
    if (cpu === undefined) return [];
    // A hyphen stands for a value that there is not.
    const cell = (key: string): number => Number(rows.get(key)?.[place]?.replace(/^-$/, '0') ?? Number.NaN);
    const totals = { count: cell('count:'), minUs: cell('min:'), maxUs: cell('max:'), averageUs: cell('avg:') };
    if (!Object.values(totals).every(Number.isFinite)) throw badAnswer('rtla', `no totals of CPU ${Number(cpu)}`);
    const histogram = [...rows.keys()].filter((key) => /^\d+$/.test(key)).map((us) => [Number(us), cell(us)] as const);
    return [{ cpu: Number(cpu), late: bucketsOf(histogram, totals) }];
  });
  if (cpus.length === 0) throw badAnswer('rtla', 'no columns of threads');
  return cpus;
}
