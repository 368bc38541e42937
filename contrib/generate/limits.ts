import type { CgroupForm, FileContext, LimitName, Limits, LimitValue, Row } from '../../src/core/properties/row.ts';
import { PROPERTIES } from '../../src/core/properties/table.ts';
import type { Machine } from '../../src/core/quantity.ts';

/** What percentages would refer to; the examples have none but those of CPUQuota. */
const MACHINE: Machine = { memory: 2n ** 34n, tasks: 32_768n, pageSize: 4096n };

const GROUPS: readonly (readonly [title: string, has: (name: LimitName) => boolean])[] = [
  ['CPU', (name) => name.startsWith('CPU') || name === 'AllowedCPUs' || name === 'AllowedMemoryNodes'],
  ['Memory', (name) => name.startsWith('Memory')],
  ['Tasks', (name) => name.startsWith('Tasks')],
  ['I/O', (name) => name.startsWith('IO')],
  ['Lifetime', () => true],
];

interface Facts {
  readonly row: Row;
  readonly dbus: string;
  readonly v2: string;
  readonly v1: string;
}

function factsOf(row: Row): Facts {
  const value = row.parse(row.example, MACHINE);
  const [name, signature] = row.dbus(value)[0] ?? ['', ''];
  return {
    row,
    dbus: `\`${name}\` \`${signature}\``,
    v2: filesOf(row.v2, row.name, value),
    v1: filesOf(row.v1, row.name, value),
  };
}

function filesOf(form: CgroupForm<LimitValue> | undefined, name: LimitName, value: LimitValue): string {
  const limits: Limits = { ...(name === 'MemorySwapMax' && { MemoryMax: 0n }), [name]: value };
  const context: FileContext = { limits, devices: new Map() };
  const files = new Set((form?.write(value, context) ?? []).map(({ file }) => file));
  return files.size === 0 ? '' : [...files].map((file) => `\`${file}\``).join(', ');
}

/** Text that may stand in a cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** `docs/limits.md`: one row a limit. */
export function limitsDocument(): string {
  const facts = PROPERTIES.map(factsOf);
  const left = new Set(facts);
  const sections = GROUPS.flatMap(([title, has]) => {
    const own = [...left].filter(({ row }) => has(row.name));
    for (const one of own) left.delete(one);
    return [`## ${title}`, '', ...summaries(own), '', ...table(own), ''];
  });
  return `<!-- Made by \`npm run generate\` from src/core/properties/. Do not edit. -->

# Limits

Every limit that slicectl knows, by systemd's name. \`-p Name=value\`, profiles and the library take all of them; some have a short flag.

- Unit: of the value that the library and the JSON plan carry. µs are microseconds.
- D-Bus: the property that systemd gets, and its signature. \`infinity\` is sent as 2^64-1.
- v2, v1: the file of the job's group that holds the limit, without systemd and with it. An empty cell: that version has no file for it, and asking for the limit there is an error, but for limits of the job.
- Since: the first systemd version that takes it for the unit that slicectl puts it on.
- Held by: \`group\` is the kernel, in the job's group, with read-back before the start. \`job\` is systemd, or slicectl where there is no systemd.

Sizes of memory take K M G T P E as powers of 1024, rates of I/O as powers of 1000; Ki Mi Gi are powers of 1024 in both. A memory size or \`TasksMax\` in percent refers to the machine, or to the memory limit of the container. \`CPUQuota=100%\` is one CPU. Spans of time are systemd's: \`90\` (seconds), \`500ms\`, \`1min 30s\`.

${sections.join('\n')}
## Where a limit has no effect

systemd accepts these and nothing happens. slicectl reads the kernel's files back before the job starts and refuses to start it, unless \`--best-effort\` is given.

${facts
  .filter(({ row }) => row.ignored.length > 0)
  .map(({ row }) => `- \`${row.name}\`: ${row.ignored.join('; ')}.`)
  .join('\n')}
`;
}

function summaries(own: readonly Facts[]): string[] {
  return own.map(({ row }) => `- \`${row.name}\`: ${row.summary}.`);
}

function table(own: readonly Facts[]): string[] {
  return [
    '| limit | example | unit | flags | D-Bus | v2 | v1 | since | held by |',
    '|---|---|---|---|---|---|---|---|---|',
    ...own.map(({ row, dbus, v2, v1 }) => {
      const flags = row.flags.map(({ name }) => `\`${name}\``).join(', ');
      const cells = [`\`${row.name}\``, `\`${row.example}\``, row.unit, flags, dbus, v2, v1, `${row.since}`, row.scope];
      return `| ${cells.map(cell).join(' | ')} |`.replaceAll('|  |', '| |');
    }),
  ];
}
