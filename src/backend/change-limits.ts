import { SlicectlError } from '../core/errors.ts';
import { type AskedLimits, layered, printLimit, valuesOf } from '../core/limits.ts';
import type { FileWrite } from '../core/properties/row.ts';
import { writeControl } from '../host/control-writes.ts';
import type { PlacedJob } from './cgroup-group.ts';
import { type PlainLimits, settleLimits, writesOf } from './plain-settle.ts';
import { attempt } from './refusal.ts';
import { refuseShrinking } from './shrink.ts';

type Held = Pick<PlainLimits, 'asked' | 'limits' | 'devices'>;

/**
 * Writes limits to a running job. Limits that share a file or a sum with what changes are written anew too: on v1 memory
 * with swap follows MemoryMax, and the quota follows its period.
 */
export function changeLimits(job: PlacedJob, held: Held, wanted: AskedLimits): PlainLimits {
  const { tree, place, roots } = job;
  const merged = layered([byName(held.asked), byName(wanted)]);
  const settled = settleLimits(job, merged, false);
  const named = new Set(wanted.map(({ name }) => name));
  const before = writesOf(tree, held);
  const writes = [...writesOf(tree, settled)].flatMap(([name, now]) =>
    named.has(name) || textOf(before.get(name)) !== textOf(now) ? now : [],
  );
  const files = tree.files(place, roots);
  refuseShrinking(files, valuesOf(wanted));
  const extension = tree.extend(place, new Set(writes.map(({ controller }) => controller)));
  if ('why' in extension) {
    const names = wanted.map(({ name, value }) => printLimit(name, value)).join(', ');
    throw new SlicectlError('E_CONTROLLER', `${names} cannot be set: ${extension.why}`, { hint: extension.wayOut });
  }
  for (const step of extension.steps) {
    if (step.do === 'write')
      attempt({ what: 'write', path: step.path, value: step.text }, () => writeControl(step.path, step.text));
  }
  for (const { controller, file, text } of tree.order(writes, (write) => files.read(write.controller, write.file))) {
    const path = `${files.folder(controller)}/${file}`;
    attempt({ what: 'write', path, value: text }, () => writeControl(path, text));
  }
  return { ...settled, notes: settled.notes.filter(({ limit }) => limit !== undefined && named.has(limit)) };
}

function byName(asked: AskedLimits) {
  return new Map(asked.map((limit) => [limit.name, limit]));
}

function textOf(writes: readonly FileWrite[] | undefined): string {
  return (writes ?? []).map(({ file, text }) => `${file} ${text}`).join('\n');
}
