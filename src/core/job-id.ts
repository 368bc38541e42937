/** The process that made a group, told apart from a later one with the same pid. */
export interface Owner {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot. */
  readonly startTime: bigint;
  /** The inode of the pid namespace in which `pid` counts. */
  readonly pidNamespace: bigint;
}

const PREFIX = 'slicectl_';

/**
 * The stem of every name that slicectl makes up, `slicectl_PID_START_NS_SERIAL` in base 36. It says who made the group,
 * so that a sweep knows without any other record whether the maker still lives.
 */
export function jobId(owner: Owner, serial: number): string {
  const words = [BigInt(owner.pid), owner.startTime, owner.pidNamespace, BigInt(serial)];
  return PREFIX + words.map((word) => word.toString(36)).join('_');
}

/** The maker of a unit or folder name (`a-slicectl_….slice`, `slicectl_….scope`, bare), or undefined for foreign names. */
export function ownerOf(name: string): Owner | undefined {
  const match = /(?:^|-)slicectl_([0-9a-z]+)_([0-9a-z]+)_([0-9a-z]+)_[0-9a-z]+(?:\.[a-z]+)?$/.exec(name);
  if (!match) return undefined;
  const [pid = 0n, startTime = 0n, pidNamespace = 0n] = match.slice(1).map(fromBase36);
  return { pid: Number(pid), startTime, pidNamespace };
}

function fromBase36(text: string): bigint {
  return [...text].reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n);
}
