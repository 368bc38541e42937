import { printIndexSet, without } from '../core/cpuset.ts';
import { SlicectlError } from '../core/errors.ts';
import type { AskedLimit, AskedLimits } from '../core/limits.ts';
import { printLimit } from '../core/limits.ts';
import type {
  CgroupForm,
  DeviceAmount,
  FileContext,
  LimitName,
  Limits,
  LimitValue,
  Row,
} from '../core/properties/row.ts';
import { PROPERTIES } from '../core/properties/table.ts';
import type { ControlFiles } from '../host/control-files.ts';
import { obeysIoWeight } from '../host/io-weight.ts';
import type { HostPaths } from '../host/paths.ts';
import { explainMissing } from './explain.ts';

/** A limit that the kernel does not hold as it was asked. */
export interface Finding {
  readonly limit: LimitName;
  readonly text: string;
  readonly hint: string;
}

/** A limit that binds the job, asked for or inherited. */
export interface InForce {
  readonly limit: LimitName;
  readonly value: LimitValue;
  /** The group that holds it: the job's own, or one above. */
  readonly cgroup: string;
  readonly asked: string | undefined;
}

export interface Proof {
  readonly inForce: readonly InForce[];
  readonly findings: readonly Finding[];
}

/** What is to be proved: the request, and what was sent for it. */
export interface ProofRequest {
  readonly asked: AskedLimits;
  readonly limits: Limits;
  readonly devices: ReadonlyMap<string, string>;
  readonly paths: HostPaths;
  /** The group of the unit in the job's slice, which holds OOMPolicy; undefined while there is none. */
  readonly leaf: ControlFiles | undefined;
}

/** Rows whose inherited bound is worth telling though nobody asked for it. */
const INHERITED: readonly LimitName[] = [
  'CPUQuota',
  'AllowedCPUs',
  'MemoryHigh',
  'MemoryMax',
  'MemorySwapMax',
  'TasksMax',
];

/**
 * Reads every limit back from the kernel, the job's group and those above it, and compares by the same rows that made
 * the request.
 */
export function prove(files: ControlFiles, { asked, limits, devices, paths, leaf }: ProofRequest): Proof {
  const context: FileContext = { limits, devices };
  const inForce: InForce[] = [];
  const findings: Finding[] = [];
  for (const row of PROPERTIES) {
    const form = files.version === 2 ? row.v2 : row.v1;
    const value = limits[row.name];
    if (!form) continue;
    const request = asked.find(({ name }) => name === row.name);
    if (value === undefined) {
      const bound = INHERITED.includes(row.name) ? tightest(row, form, files) : undefined;
      if (bound) inForce.push({ limit: row.name, ...bound, asked: undefined });
      continue;
    }
    const holder = row.scope === 'group' ? files : leaf;
    if (!holder) continue;
    const finding = check(row, form, value, holder, context) ?? unobeyed(row, value, files, paths);
    if (finding) findings.push(finding);
    const bound = tightest(row, form, files) ?? { value, cgroup: files.path };
    if (!finding || finding.bound)
      inForce.push({
        limit: row.name,
        ...(finding?.bound ?? own(value, bound, files)),
        asked: askedText(request),
      });
  }
  return { inForce, findings: findings.map(({ limit, text, hint }) => ({ limit, text, hint })) };
}

function askedText(request: AskedLimit | undefined): string {
  return request?.text ?? '';
}

interface Bound {
  readonly value: LimitValue;
  readonly cgroup: string;
}

/** A finding, with the value that counts instead where there is one. */
interface Refusal extends Finding {
  readonly bound?: Bound;
}

/** A limit of the job itself is shown as it was set, not as its file rounds it. */
function own(value: LimitValue, bound: Bound, files: ControlFiles): Bound {
  return bound.cgroup === files.path ? { value, cgroup: files.path } : bound;
}

function check(
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
function unobeyed(row: Row, value: LimitValue, files: ControlFiles, paths: HostPaths): Refusal | undefined {
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

function isTighter(row: Row, above: LimitValue, value: LimitValue, context: FileContext): boolean {
  if (row.ancestors === 'smallest') return isLess(above, value);
  if (row.ancestors === 'devices') return tighterDevice(above, value, context) !== undefined;
  return false;
}

function tighterDevice(above: LimitValue, value: LimitValue, { devices }: FileContext): DeviceAmount | undefined {
  if (!isDeviceList(above) || !isDeviceList(value)) return undefined;
  for (const { device, amount } of value) {
    const number = devices.get(device) ?? device;
    const found = above.find((entry) => entry.device === number);
    if (found && isLess(found.amount, amount)) return { device, amount: found.amount };
  }
  return undefined;
}

function printAbove(row: Row, above: LimitValue, value: LimitValue, context: FileContext): string {
  const device = tighterDevice(above, value, context);
  return printLimit(row.name, device ? [device] : above);
}

/** The smallest bound on the way up, or the effective set; undefined where nothing binds. */
function tightest(row: Row, form: CgroupForm<LimitValue>, files: ControlFiles): Bound | undefined {
  if (row.ancestors === 'effective') {
    const set = form.read((c, f) => files.read(c, f));
    return set === undefined ? undefined : { value: set, cgroup: files.path };
  }
  if (row.ancestors !== 'smallest') return undefined;
  let best: { value: LimitValue; cgroup: string } | undefined;
  for (const group of [files, ...files.ancestors(form.controller)]) {
    const value = form.read((c, f) => group.read(c, f));
    if (value !== undefined && value !== 'infinity' && (!best || isLess(value, best.value)))
      best = { value, cgroup: group.path };
  }
  return best;
}

function isLess(a: LimitValue, b: LimitValue): boolean {
  if (a === 'infinity') return false;
  if (b === 'infinity') return true;
  return typeof a === 'bigint' && typeof b === 'bigint' && a < b;
}

function isIndexSet(value: LimitValue | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'number');
}

function isDeviceList(value: LimitValue): value is readonly DeviceAmount[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'object');
}

/** Rejects the first finding as `E_NOT_IN_FORCE`; the others go along in `data`. */
export function mustHold({ findings }: Proof): void {
  const [first] = findings;
  if (!first) return;
  throw new SlicectlError('E_NOT_IN_FORCE', first.text, { hint: first.hint, data: { limit: first.limit, findings } });
}
