import { readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import process from 'node:process';
import { errnoOf } from '../core/errors.ts';
import { readIfThere } from '../host/files.ts';
import type { Descriptor } from '../job/gate.ts';

/** What Node takes from its children that a command run directly would have from its caller. */
export interface Inheritance {
  /** The caller's descriptors from 3 on. */
  readonly descriptors: readonly number[];
  /** What the job is to have of them, by number. */
  readonly stdio: readonly [Descriptor, Descriptor, Descriptor, ...Descriptor[]];
  /** The soft limit of open files that the caller has; Node raised that of this process to the hard one. */
  readonly openFiles: number | undefined;
  /** Only SIGHUP can be found out: Node resets all of them at its start. */
  readonly ignoredSignals: readonly NodeJS.Signals[];
}

/** To be read before anything else opens a descriptor. `own` is one that the caller opened for slicectl. */
export function readInheritance(own?: number): Inheritance {
  const descriptors = callersDescriptors();
  const passedOn = descriptors.filter((fd) => fd !== own);
  const most = Math.max(2, ...passedOn);
  const more = Array.from(
    { length: most - 2 },
    (_, index): Descriptor => (passedOn.includes(index + 3) ? index + 3 : 'ignore'),
  );
  return {
    descriptors,
    stdio: ['inherit', 'inherit', 'inherit', ...more],
    openFiles: callersOpenFiles(),
    ignoredSignals: ignoresHangup() ? ['SIGHUP'] : [],
  };
}

interface OpenDescriptor {
  readonly fd: number;
  readonly link: string;
  readonly isReadOnly: boolean;
}

/**
 * Descriptors from 3 on that the caller opened. Node's own are epoll and event descriptors, pipes of which it holds both
 * ends, and /dev/null, and take the lowest free numbers. A jobserver of make(1) looks like the pipes, but MAKEFLAGS
 * names it.
 */
export function callersDescriptors(): readonly number[] {
  const numbers = readdirSync('/proc/self/fd').map(Number);
  const all = numbers.sort((a, b) => a - b).flatMap(describe);
  const nodesFirst = all.find(({ link }) => link === 'anon_inode:[eventpoll]')?.fd ?? Number.POSITIVE_INFINITY;
  const jobserver =
    /--jobserver-(?:auth|fds)=(\d+),(\d+)/
      .exec(process.env.MAKEFLAGS ?? '')
      ?.slice(1)
      .map(Number) ?? [];
  const isNodes = ({ fd, link, isReadOnly }: OpenDescriptor): boolean => {
    if (fd < nodesFirst || jobserver.includes(fd)) return false;
    if (link.startsWith('anon_inode:')) return true;
    if (link === '/dev/null') return isReadOnly;
    return link.startsWith('pipe:') && all.filter((other) => other.link === link).length > 1;
  };
  return all.flatMap((descriptor) => (descriptor.fd < 3 || isNodes(descriptor) ? [] : [descriptor.fd]));
}

/** Nothing for the descriptor of the listing itself, which is closed by now. */
function describe(fd: number): OpenDescriptor[] {
  try {
    const link = readlinkSync(`/proc/self/fd/${fd}`);
    const flags = /^flags:\s*(\d+)/m.exec(readIfThere(`/proc/self/fdinfo/${fd}`) ?? '')?.[1] ?? '0';
    return [{ fd, link, isReadOnly: (Number.parseInt(flags, 8) & 3) === 0 }];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function callersOpenFiles(): number | undefined {
  const pattern = /^Max open files\s+(\d+)\s+(\d+)/m;
  const soft = Number(pattern.exec(readOfParent('limits') ?? '')?.[1] ?? Number.NaN);
  const hard = Number(pattern.exec(readIfThere('/proc/self/limits') ?? '')?.[2] ?? Number.NaN);
  return soft < hard ? soft : undefined;
}

/** Under nohup(1), as bash and zsh tell by `_`, or from a shell after `trap '' HUP`. */
function ignoresHangup(): boolean {
  if (basename(process.env._ ?? '') === 'nohup') return true;
  const ignored = /^SigIgn:\s*([0-9a-f]+)/m.exec(readOfParent('status') ?? '')?.[1] ?? '0';
  return (BigInt(`0x${ignored}`) & 1n) === 1n;
}

function readOfParent(file: string): string | undefined {
  try {
    return readIfThere(`/proc/${process.ppid}/${file}`);
  } catch (error) {
    // Another user's parent (sudo): then nothing is known.
    if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM') return undefined;
    throw error;
  }
}
