import { badInput } from '../errors.ts';
import { type Amount, type Machine, parseShareOf, parseSize, printSize } from '../quantity.ts';
import { amountFile, amountProperty, readAmount } from './forms.ts';
import { asRow, type CgroupForm, type Flag, type LimitName, type Row } from './row.ts';

type MemoryName = Extract<LimitName, `Memory${string}`>;

interface MemorySpec {
  readonly name: MemoryName;
  readonly summary: string;
  readonly since: number;
  readonly file: string;
  readonly least: 0n | 1n;
  readonly flags?: readonly Flag[];
  readonly v1?: CgroupForm<Amount>;
  readonly ignored?: readonly string[];
}

function parseMemory(text: string, machine: Machine, name: string, least: bigint): Amount {
  if (text.trim() === 'infinity') return 'infinity';
  const value = parseShareOf(text, machine.memory, name) ?? parseSize(text, 1024, name);
  if (value < least * machine.pageSize) {
    throw badInput(
      `${name}=${text.trim()} leaves the job no memory at all: the kernel counts pages of ${machine.pageSize} bytes`,
      'write at least 1M, or infinity',
    );
  }
  return value;
}

function memoryRow(spec: MemorySpec): Row<Amount> {
  return {
    name: spec.name,
    summary: spec.summary,
    unit: 'bytes',
    scope: 'group',
    since: spec.since,
    example: '512M',
    flags: spec.flags ?? [],
    ignored: ['where the memory controller is not enabled for the group', ...(spec.ignored ?? [])],
    parse: (text, machine) => parseMemory(text, machine, spec.name, spec.least),
    print: (value) => printSize(value, 1024),
    dbus: amountProperty(spec.name),
    settle: (value, { pageSize }) => {
      if (value === 'infinity' || value % pageSize === 0n) return { value };
      const whole = value - (value % pageSize);
      return {
        value: whole,
        note: `rounded down to ${whole} bytes: the kernel counts memory in pages of ${pageSize} bytes`,
      };
    },
    v2: amountFile('memory', spec.file),
    ...(spec.v1 && { v1: spec.v1 }),
    ancestors: 'smallest',
  };
}

/** `--memory` and `--swap`: the row's own text; `m` is refused since Docker and Kubernetes read it differently. */
function memoryFlag(name: string, help: string, row: MemoryName, least: bigint): Flag {
  return { name, placeholder: '<size>', help, parse: (text, machine) => parseMemory(text, machine, row, least) };
}

/**
 * v1 has one counter for memory and swap together (Documentation/admin-guide/cgroup-v1/memory.rst, 2.4), so the file
 * holds MemoryMax + MemorySwapMax, and swap alone cannot be limited: such a write never shows the limit in force.
 */
const swapOnV1: CgroupForm<Amount> = {
  controller: 'memory',
  write: (value, { limits }) => {
    const memory = limits.MemoryMax;
    const both = value === 'infinity' || memory === undefined || memory === 'infinity' ? 'infinity' : value + memory;
    const text = both === 'infinity' ? '-1' : `${both}`;
    const inForce = value === 'infinity' || both !== 'infinity';
    return [
      {
        controller: 'memory',
        file: 'memory.memsw.limit_in_bytes',
        text,
        shows: (content) => inForce && readAmount(content) === both,
      },
    ];
  },
  read: (read) => {
    const memory = readAmount(read('memory', 'memory.limit_in_bytes'));
    const both = readAmount(read('memory', 'memory.memsw.limit_in_bytes'));
    if (memory === undefined || both === undefined) return undefined;
    return both === 'infinity' || memory === 'infinity' ? 'infinity' : both - memory;
  },
};

const PROTECTION = ['beyond what the groups above are protected with: an ancestor with 0 leaves nothing to give'];

export const memoryRows: readonly Row[] = [
  memoryRow({
    name: 'MemoryMin',
    summary: 'Memory that is never reclaimed from the job',
    since: 240,
    file: 'memory.min',
    least: 0n,
    ignored: PROTECTION,
  }),
  memoryRow({
    name: 'MemoryLow',
    summary: 'Memory that is reclaimed from the job only when nothing else is left',
    since: 231,
    file: 'memory.low',
    least: 0n,
    ignored: PROTECTION,
  }),
  memoryRow({
    name: 'MemoryHigh',
    summary: 'Memory above which the job is slowed down and reclaimed from',
    since: 231,
    file: 'memory.high',
    least: 1n,
  }),
  memoryRow({
    name: 'MemoryMax',
    summary: 'Memory that the job can have at most; above it the kernel kills',
    since: 231,
    file: 'memory.max',
    least: 1n,
    flags: [memoryFlag('--memory', 'memory: 1G, 512M, 512Mi, 25%', 'MemoryMax', 1n)],
    v1: amountFile('memory', 'memory.limit_in_bytes', '-1'),
  }),
  memoryRow({
    name: 'MemorySwapMax',
    summary: 'Swap that the job can have at most',
    since: 232,
    file: 'memory.swap.max',
    least: 0n,
    flags: [memoryFlag('--swap', 'swap: 0, 1G', 'MemorySwapMax', 0n)],
    v1: swapOnV1,
    ignored: [
      'by systemd on cgroup v1',
      'on cgroup v1 without MemoryMax',
      'on a kernel without swap accounting (swapaccount=0)',
    ],
  }),
  memoryRow({
    name: 'MemoryZSwapMax',
    summary: 'Compressed swap that the job can have at most',
    since: 253,
    file: 'memory.zswap.max',
    least: 0n,
    ignored: ['on a kernel before 5.19 or without CONFIG_ZSWAP'],
  }),
].map(asRow);
