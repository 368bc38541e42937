import { printIndexSet, without } from '../core/cpuset.ts';
import { printLimit } from '../core/limits.ts';
import type { CgroupForm, FileContext, LimitName, LimitValue, Row } from '../core/properties/row.ts';
import type { ControlFiles } from '../host/control-files.ts';
import { obeysIoWeight } from '../host/io-weight.ts';
import type { HostPaths } from '../host/paths.ts';
import { type Bound, isIndexSet, isTighter, printAbove } from './bounds.ts';
import { explainMissing } from './explain.ts';

/** A limit that the kernel does not hold as it was asked. */
export interface Finding {
  readonly limit: LimitName;
  readonly text: string;
  readonly hint: string;
}

/** A finding, with the value that counts instead where there is one. */
export interface Refusal extends Finding {
  readonly bound?: Bound;
}

/** Compares each file of the limit with what was written, and the value with those of the groups above. */
export function check(
  row: Row,
  form: CgroupForm<LimitValue>,
  value: LimitValue,
  files: ControlFiles,
  context: FileContext,
): Refusal | undefined {
  const text = printLimit(row.name, value);
  for (const write of form.write(value, context)) {
    const content = files.read(write.controller, write.file);
    if (content === undefined) {
      return { limit: row.name, ...explainMissing(text, write.controller, write.file, files) };
    }
    const holds = write.shows ? write.shows(content) : content.trim() === write.text;
    if (!holds) {
      return {
        limit: row.name,
        text: `${text} is not in force: ${write.file} of ${files.path} holds ${JSON.stringify(content.trim())} instead of ${JSON.stringify(write.text)}`,
        hint:
          row.ignored.length > 0
            ? `it has no effect ${row.ignored.join('; nor ')}`
            : 'somebody else may write to that group',
      };
    }
  }
  return narrower(row, form, value, files, context, text);
}

/** The finding for a weight that the kernel holds and no device obeys. */
export function unobeyed(row: Row, value: LimitValue, files: ControlFiles, paths: HostPaths): Refusal | undefined {
  if (row.name !== 'IOWeight' && row.name !== 'IODeviceWeight') return undefined;
  const top = files.ancestors('io').at(-1);
  if (files.version === 1 || obeysIoWeight(paths, top?.read('io', 'io.cost.qos'))) return undefined;
  return {
    limit: row.name,
    text: `${printLimit(row.name, value)} is not in force: no block device here obeys weights`,
    hint: 'choose the bfq scheduler (/sys/block/NAME/queue/scheduler), enable io.cost.qos, or give --best-effort',
  };
}

/** The finding for a group above that makes the limit meaningless. */
function narrower(
  row: Row,
  form: CgroupForm<LimitValue>,
  value: LimitValue,
  files: ControlFiles,
  context: FileContext,
  text: string,
): Refusal | undefined {
  if (row.ancestors === 'effective') {
    const found = form.read((c, f) => files.read(c, f));
    const lost = isIndexSet(value) && isIndexSet(found) ? without(value, found) : [];
    if (lost.length === 0) return undefined;
    const cgroup = files.ancestors(form.controller).find((group) => {
      const set = form.read((c, f) => group.read(c, f));
      return isIndexSet(set) && without(lost, set).length > 0;
    })?.path;
    return {
      limit: row.name,
      text: `${text} is not in force: ${printIndexSet(lost)} is not allowed in ${cgroup ?? 'a group above'}, and ${found === undefined ? 'nothing' : row.print(found)} is left`,
      hint: 'ask for what the groups above allow, widen them, or give --best-effort',
      ...(found !== undefined && { bound: { value: found, cgroup: cgroup ?? files.path } }),
    };
  }
  for (const group of files.ancestors(form.controller)) {
    const above = form.read((c, f) => group.read(c, f));
    if (above === undefined || !isTighter(row, above, value, context)) continue;
    const holder = `${printAbove(row, above, value, context)} of ${group.path}`;
    return {
      limit: row.name,
      text: `${text} is meaningless: ${holder} is tighter`,
      hint: `ask for less, raise it there, or give --best-effort`,
      bound: { value: above, cgroup: group.path },
    };
  }
  return undefined;
}
