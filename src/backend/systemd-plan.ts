import { badInput } from '../core/errors.ts';
import type { Controller, DbusProperty, Limits, LimitValue, Row } from '../core/properties/row.ts';
import { PROPERTIES } from '../core/properties/table.ts';
import { U64_MAX } from '../core/quantity.ts';
import { childSlice, sliceName, type UnitSuffix, unitName } from '../core/unit-name.ts';
import type { BusKind } from '../dbus/address.ts';
import type { CgroupLayout, Membership } from '../host/cgroups.ts';
import type { CallStep, GroupRequest, Plan, SettledLimits } from './backend.ts';

/** What a plan depends on besides the request. */
export interface SystemdFacts {
  readonly kind: BusKind;
  readonly version: number;
  /** The manager's own cgroup: empty for PID 1, `/user.slice/…/user@1000.service` for a user's. */
  readonly managerGroup: string;
  readonly layout: CgroupLayout;
  readonly self: Membership | undefined;
}

/** First version whose scopes take OOMPolicy (NEWS 253). */
const SCOPE_OOM_POLICY = 253;

/** On v1 systemd manages these controllers only (systemd 252, src/core/cgroup.c, CGROUP_MASK_V1). */
const V1_OF_SYSTEMD: readonly Controller[] = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio'];

/** Why systemd of this version on this cgroup layout cannot hold a limit. */
export function systemdUnable(
  facts: SystemdFacts,
): (row: Row, value: LimitValue) => { why: string; hint: string } | undefined {
  const isV1 = V1_OF_SYSTEMD.some((controller) => facts.layout.v1.has(controller));
  return (row, value) => {
    if (row.since > facts.version) {
      const why = `systemd ${facts.version} does not know ${row.name} for scopes, which came with ${row.since}`;
      return { why, hint: 'leave it out, or give --best-effort' };
    }
    if (value === 'idle' && facts.version < 252) {
      return { why: `CPUWeight=idle came with systemd 252, this is ${facts.version}`, hint: 'write a weight of 1' };
    }
    if (!isV1) return undefined;
    if (row.name === 'OOMPolicy' && value !== 'continue') {
      const why = 'on cgroup v1 systemd does not learn of kills for memory';
      return { why, hint: 'write OOMPolicy=continue, or give --best-effort' };
    }
    if (row.scope === 'job') return undefined;
    const usable = row.v1 && V1_OF_SYSTEMD.includes(row.v1.controller) && row.name !== 'MemorySwapMax';
    if (usable) return undefined;
    const why = 'this host runs systemd on cgroup v1, where systemd does not manage it';
    return { why, hint: 'boot with systemd.unified_cgroup_hierarchy=1, or give --best-effort' };
  };
}

/** The slice for the job's own slice to lie in. */
export function parentSlice(request: GroupRequest, facts: SystemdFacts): string {
  const fallback = facts.kind === 'system' ? 'system.slice' : 'app.slice';
  if (!request.sliceInherit) return request.slice === undefined ? fallback : sliceName(request.slice);
  const own = callersSlice(facts);
  if (request.slice === undefined) return own;
  const stem = sliceName(request.slice).slice(0, -'.slice'.length);
  if (request.slice === '-.slice') throw badInput('--slice-inherit cannot lead to -.slice', 'leave one of the two out');
  return own === '-.slice' ? request.slice : `${own.slice(0, -'.slice'.length)}-${stem}.slice`;
}

/** The innermost slice of the manager that the caller is in. */
function callersSlice({ self, managerGroup }: SystemdFacts): string {
  const path = self?.v2 ?? self?.v1.get('memory') ?? self?.v1.get('pids') ?? '/';
  const below = path.startsWith(`${managerGroup}/`) ? path.slice(managerGroup.length) : managerGroup === '' ? path : '';
  return below.split('/').findLast((part) => part.endsWith('.slice')) ?? '-.slice';
}

/** The names of the units that hold one job. */
export interface JobUnits {
  readonly slice: string;
  readonly unit: string;
}

/** `system-slicectl_….slice` for the limits and figures, and the scope or service in it for the processes. */
export function jobUnits(request: GroupRequest, facts: SystemdFacts, id: string, suffix: UnitSuffix): JobUnits {
  const slice = sliceName(childSlice(parentSlice(request, facts), id));
  return { slice, unit: unitName(request.unit ?? id, suffix) };
}

/**
 * The job's slice: it carries the limits, since its cgroup stays after the scope in it has gone, so that the last figures
 * of even the shortest job can be read with no process of ours inside.
 */
export function sliceProperties(description: string, limits: Limits, version: number): DbusProperty[] {
  return [['Description', 's', `slice of ${description}`], ...groupProperties(limits, version)];
}

/** The limits that the kernel holds in a group, with the accounting that receipts need. */
export function groupProperties(limits: Limits, version: number): DbusProperty[] {
  return [
    ...cpuAccounting(true, version),
    ['MemoryAccounting', 'b', true],
    ['TasksAccounting', 'b', true],
    ['IOAccounting', 'b', true],
    ...limitProperties(limits, 'group'),
  ];
}

/** From 258 on CPU time is always counted, and the property is thrown away (NEWS 258). */
function cpuAccounting(isOn: boolean, version: number): DbusProperty[] {
  return version < 258 ? [['CPUAccounting', 'b', isOn]] : [];
}

/** D-Bus properties of the limits that sit on the job's slice (`group`) or on the unit in it (`job`). */
export function limitProperties(limits: Limits, scope: Row['scope']): DbusProperty[] {
  return PROPERTIES.filter((row) => row.scope === scope).flatMap((row) => {
    const value = limits[row.name];
    return value === undefined ? [] : row.dbus(value);
  });
}

/** Whether the end of the job has to be asked of systemd, for which the unit must outlive its last process. */
export function endsBySystemd(limits: Limits): boolean {
  return limits.RuntimeMaxSec !== undefined || limits.OOMPolicy === 'stop';
}

/** What scopes and services have in common: their place, and the limits that sit on them rather than on their slice. */
export function unitProperties(
  request: GroupRequest,
  slice: string,
  { limits }: SettledLimits,
  version: number,
): DbusProperty[] {
  const hasPolicy = limits.OOMPolicy !== undefined || version < SCOPE_OOM_POLICY;
  return [
    ['Description', 's', request.description],
    ['Slice', 's', slice],
    ['CollectMode', 's', 'inactive-or-failed'],
    // The slice counts: the manager's DefaultTasksMax on the unit would be a second, hidden limit.
    ['TasksMax', 't', U64_MAX],
    ...limitProperties(limits, 'job'),
    ...(hasPolicy ? [] : [['OOMPolicy', 's', 'continue'] as const]),
  ];
}

/**
 * Keeps controllers out of the unit in the job's slice, so that its processes are charged to the slice itself: kernels
 * before 6.12 count refused forks, and cgroup v1 counts kills, only in the group of the process, which vanishes with it.
 * systemd before 253 would also stop a scope whose memory.events it watches. OOMPolicy needs that file.
 */
export function withoutAccounting({ OOMPolicy }: Limits, version: number): DbusProperty[] {
  return [
    ...cpuAccounting(false, version),
    ['MemoryAccounting', 'b', OOMPolicy !== undefined && OOMPolicy !== 'continue'],
    ['TasksAccounting', 'b', false],
    ['IOAccounting', 'b', false],
  ];
}

export function startStep(
  unit: string,
  properties: readonly DbusProperty[],
  auxiliary: CallStep['auxiliary'] = [],
): CallStep {
  const call = { interface: 'org.freedesktop.systemd1.Manager', member: 'StartTransientUnit' };
  return { do: 'call', ...call, unit, mode: 'fail', properties, auxiliary };
}

export function scopePlan(request: GroupRequest, facts: SystemdFacts, settled: SettledLimits, id: string): Plan {
  const { slice, unit } = jobUnits(request, facts, id, '.scope');
  const reference: DbusProperty[] = endsBySystemd(settled.limits) ? [['AddRef', 'b', true]] : [];
  const properties = [
    ...unitProperties(request, slice, settled, facts.version),
    ...withoutAccounting(settled.limits, facts.version),
    ...reference,
  ];
  const auxiliary = [{ unit: slice, properties: sliceProperties(request.description, settled.limits, facts.version) }];
  const steps = [{ ...startStep(unit, properties, auxiliary), takesJob: true }];
  return { kind: 'systemd', unit, description: request.description, ...settled, steps };
}
