import { SlicectlError } from '../core/errors.ts';
import type { AskedLimit, AskedLimits } from '../core/limits.ts';
import type { FileContext, LimitName, Limits, LimitValue } from '../core/properties/row.ts';
import { PROPERTIES } from '../core/properties/table.ts';
import type { ControlFiles } from '../host/control-files.ts';
import type { HostPaths } from '../host/paths.ts';
import { type Bound, tightest } from './bounds.ts';
import { check, type Finding, unobeyed } from './checks.ts';

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

/** A limit of the job itself is shown as it was set, not as its file rounds it. */
function own(value: LimitValue, bound: Bound, files: ControlFiles): Bound {
  return bound.cgroup === files.path ? { value, cgroup: files.path } : bound;
}

/** Rejects the first finding as `E_NOT_IN_FORCE`; the others go along in `data`. */
export function mustHold({ findings }: Proof): void {
  const [first] = findings;
  if (!first) return;
  throw new SlicectlError('E_NOT_IN_FORCE', first.text, { hint: first.hint, data: { limit: first.limit, findings } });
}
