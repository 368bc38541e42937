import { type IndexSet, parseIndexSet, printIndexSet } from '../../core/cpuset.ts';
import { quote, SlicectlError } from '../../core/errors.ts';

/** The process that took a lease, told apart from a later one with the same pid. */
export interface LeaseMaker {
  readonly pid: number;
  /** In clock ticks since boot. */
  readonly startTime: bigint;
  readonly pidNamespace: bigint;
  readonly bootId: string;
}

/** The group that has the job's processes in it or below it. */
export interface LeaseGroup {
  /** As the kernel names it: `/system.slice/…`. */
  readonly cgroup: string;
  /** Its folder in the hierarchy that has cpuset. */
  readonly folder: string;
  /** Of that folder, so that a later group of the same name is not taken for it. */
  readonly inode: string;
}

/** CPUs that one job has, and no other job that asked for some. */
export interface Lease {
  /** Of the maker and its count, in the form of a job's name; the file's name without its suffix. */
  readonly id: string;
  readonly cpus: IndexSet;
  /** The first word of the command. */
  readonly command: string;
  /** The reservation that it is a part of. */
  readonly reservation: string | undefined;
  readonly maker: LeaseMaker;
  /** ISO 8601. */
  readonly since: string;
  /** Undefined until the job's group is made; on plain cgroups the name of the group. */
  readonly unit: string | undefined;
  /** Undefined until it is known. */
  readonly group: LeaseGroup | undefined;
}

/** The form of the files; a later slicectl that changes it counts up. */
const FORM = 1;

export function leaseText({ id: _id, cpus, maker, unit, reservation, group, ...rest }: Lease): string {
  const { pid, startTime, pidNamespace, bootId } = maker;
  const own = { pid, startTime: `${startTime}`, pidNamespace: `${pidNamespace}`, bootId };
  const text = { version: FORM, cpus: printIndexSet(cpus), ...rest, reservation, maker: own, unit, group };
  return `${JSON.stringify(text, undefined, 1)}\n`;
}

/** `E_SYNTAX` for a file that is no lease, or one of a later form: to leave it out would give its CPUs away. */
export function parseLease(text: string, id: string, path: string): Lease {
  const found = objectIn(text);
  if (typeof found.version === 'number' && found.version > FORM) {
    throw fault(path, `it was written by a newer slicectl (form ${found.version})`);
  }
  const { cpus, command, since, reservation, unit } = found;
  const maker = makerIn(found.maker);
  const isWhole =
    found.version === FORM &&
    [cpus, command, since].every(isText) &&
    [reservation, unit].every((word) => word === undefined || isText(word));
  const group = found.group === undefined ? undefined : groupIn(found.group);
  if (!isWhole || maker === undefined || (found.group !== undefined && group === undefined)) {
    throw fault(path, 'it is not whole');
  }
  return {
    id,
    cpus: setIn(cpus as string, path),
    command: command as string,
    reservation: reservation as string | undefined,
    maker,
    since: since as string,
    unit: unit as string | undefined,
    group,
  };
}

type Found = Readonly<Record<string, unknown>>;

function objectIn(text: string): Found {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}

const asObject = (value: unknown): Found => (typeof value === 'object' && value !== null ? (value as Found) : {});
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isNumber = (value: unknown): value is string => typeof value === 'string' && /^\d+$/.test(value);

function makerIn(value: unknown): LeaseMaker | undefined {
  const { pid, startTime, pidNamespace, bootId } = asObject(value);
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || typeof bootId !== 'string') return undefined;
  if (!isNumber(startTime) || !isNumber(pidNamespace)) return undefined;
  return { pid, startTime: BigInt(startTime), pidNamespace: BigInt(pidNamespace), bootId };
}

function groupIn(value: unknown): LeaseGroup | undefined {
  const { cgroup, folder, inode } = asObject(value);
  if (!isText(cgroup) || !isText(folder) || !isNumber(inode)) return undefined;
  return { cgroup: cgroup as string, folder: folder as string, inode };
}

function setIn(text: string, path: string): IndexSet {
  try {
    return parseIndexSet(text, 'cpus');
  } catch (error) {
    if (error instanceof SlicectlError) throw fault(path, error.message);
    throw error;
  }
}

function fault(path: string, why: string): SlicectlError {
  return new SlicectlError('E_SYNTAX', `${quote(path)} is no lease of CPUs: ${why}`, {
    hint: 'see whether a job of its unit still runs; if none does, remove the file',
    data: { path },
  });
}
