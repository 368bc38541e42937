import { approximateSize } from '../../core/quantity.ts';
import { printTimespan } from '../../core/timespan.ts';
import type { Receipt, ReceiptLimit } from '../../job/receipt.ts';

/** SGR codes that begin and end a style. Node's own styleText asks a stream, and opening stderr as one changes it for the job. */
const STYLES = { dim: [2, 22], green: [32, 39], red: [31, 39] } as const;

/** The receipt for people, a few lines on stderr. */
export function receiptText(receipt: Receipt, isColoured = false): string {
  const styled = (style: keyof typeof STYLES, text: string): string =>
    isColoured ? `\u001b[${STYLES[style][0]}m${text}\u001b[${STYLES[style][1]}m` : text;
  const { figures, wallUsec } = receipt;
  const head = `${shown(receipt.command)}: ${receipt.cause} after ${span(wallUsec)}`;
  const others = receipt.events
    .filter(({ text }) => !receipt.cause.includes(text))
    .map(({ text }) => ['event', text] as const);
  const rows: (readonly [string, string])[] = [
    ...others,
    ['unit', `${receipt.unit ?? receipt.cgroup} (${receipt.backend.label})`],
    [
      'limits',
      receipt.limits.length === 0 ? 'none' : receipt.limits.map((limit) => limitText(limit, receipt.cgroup)).join(', '),
    ],
    ...(receipt.leased === undefined ? [] : [['leased', `CPUs ${receipt.leased}`] as const]),
    ['cpu', cpuText(receipt)],
    [
      'memory',
      joined([
        ['peak ', figures.memory.peakBytes, approximateSize],
        ['swap peak ', figures.memory.swapPeakBytes, approximateSize],
      ]),
    ],
    [
      'tasks',
      joined([
        ['peak ', figures.tasks.peak, String],
        ['refused forks ', figures.tasks.refusedForks, String],
      ]),
    ],
    ['io', ioText(figures.io)],
    [
      'pressure',
      joined([
        ['cpu ', figures.pressure.cpuUsec, span],
        ['memory ', figures.pressure.memoryUsec, span],
        ['io ', figures.pressure.ioUsec, span],
      ]),
    ],
  ];
  const colour = receipt.status === 0 ? 'green' : 'red';
  const body = rows.map(([name, text]) => `  ${styled('dim', name.padEnd(8))} ${text}\n`).join('');
  return `slicectl: ${styled(colour, head)}\n${body}`;
}

type Part = readonly [label: string, value: bigint | null, print: (value: bigint) => string];

/** What is printed for a figure that the kernel or the group does not offer; the JSON form says why. */
const NOT_OFFERED = 'not offered here';

function joined(parts: readonly Part[]): string {
  if (parts.every(([, value]) => value === null)) return NOT_OFFERED;
  return parts.map(([label, value, print]) => `${label}${value === null ? NOT_OFFERED : print(value)}`).join(', ');
}

function cpuText({ figures: { cpu, throttling }, wallUsec }: Receipt): string {
  if (cpu.usageUsec === null) return NOT_OFFERED;
  const share = wallUsec === 0n ? '' : ` (${Math.round((Number(cpu.usageUsec) * 100) / Number(wallUsec))}% of a CPU)`;
  const split =
    cpu.userUsec === null || cpu.systemUsec === null
      ? ''
      : `, user ${span(cpu.userUsec)}, system ${span(cpu.systemUsec)}`;
  const throttled =
    throttling.throttledUsec === null || throttling.periods === null || throttling.periods === 0n
      ? ''
      : `, throttled ${span(throttling.throttledUsec)} in ${throttling.throttledPeriods} of ${throttling.periods} periods`;
  return `${span(cpu.usageUsec)}${share}${split}${throttled}`;
}

function ioText(io: Receipt['figures']['io']): string {
  if (io.readBytes === null || io.writeBytes === null) return NOT_OFFERED;
  return `read ${approximateSize(io.readBytes)} in ${io.readOperations}, written ${approximateSize(io.writeBytes)} in ${io.writeOperations}`;
}

function limitText({ name, asked, inForce, heldBy }: ReceiptLimit, own: string): string {
  if (inForce === null) return `${name}=${asked} not in force`;
  const holder =
    heldBy === null || heldBy === own || !heldBy.startsWith('/')
      ? ''
      : ` (of ${heldBy.slice(heldBy.lastIndexOf('/') + 1) || '/'})`;
  return `${name}=${inForce}${holder}`;
}

/** A span with three digits at most: `1.24s`, `310ms`, `12min 3s`. */
function span(usec: bigint): string {
  const value = Number(usec);
  if (value >= 60_000_000) return printTimespan((usec / 1_000_000n) * 1_000_000n);
  if (value >= 1_000_000) return `${(value / 1_000_000).toFixed(2)}s`;
  if (value >= 1_000) return `${(value / 1_000).toFixed(value >= 100_000 ? 0 : 1)}ms`;
  return `${value}us`;
}

/** The command as a shell would take it, shortened. */
function shown(command: readonly string[]): string {
  const text = command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
