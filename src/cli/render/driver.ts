import { styleText } from 'node:util';
import type { Recognised } from '../../drivers/distributions/recognise.ts';
import type { CgroupDriver, Finding, Source } from '../../drivers/model.ts';
import { type StatusReport, type StatusRow, titleOf } from '../../drivers/status.ts';
import { tableText } from './table.ts';

export interface StatusStyle {
  readonly expected: CgroupDriver | undefined;
  /** Whether the text is for a terminal that shows colours. */
  readonly colour: boolean;
}

type Colour = 'red' | 'yellow' | 'green' | 'dim' | 'bold';

/** The table of runtimes, what is wrong with each, and the verdict with the way out. */
export function statusText(report: StatusReport, known: readonly Recognised[], style: StatusStyle): string {
  const paint = (colour: Colour, text: string): string => (style.colour ? styleText(colour, text) : text);
  const parts = [
    ...known.map(({ name, why, advice }) => `${name} (${why}): ${advice}\n`),
    ...(report.rows.length === 0 ? ['no container runtime and no kubelet was found\n'] : [rowsTable(report.rows)]),
    ...report.rows.flatMap((row) => row.findings.map((finding) => findingText(row, finding, paint))),
    ...report.rows.flatMap((row) =>
      row.unused === undefined ? [] : [`${titleOf(row)} is not judged: ${row.unused}\n`],
    ),
    verdict(report, style, paint),
  ];
  return parts.join('');
}

function rowsTable(rows: readonly StatusRow[]): string {
  return tableText(
    ['RUNTIME', 'VERSION', 'NOW', 'NEXT START', 'SET BY'],
    rows.map((row) => [
      row.instance === '' ? row.runtime : `${row.runtime} (${row.instance})`,
      row.version ?? '?',
      row.running?.driver ?? '-',
      row.configured.driver ?? 'does not start',
      sourceText(row.configured.source),
    ]),
  );
}

/** `/etc/docker/daemon.json:2 (exec-opts)`, or the words alone where there is no file. */
function sourceText({ path, line, text }: Source): string {
  return path === undefined ? text : `${placeText(path, line)} (${text})`;
}

function placeText(path: string, line: number | undefined): string {
  return line === undefined ? path : `${path}:${line}`;
}

const MARKS = { error: ['red', 'error'], warning: ['yellow', 'warning'], info: ['dim', 'note'] } as const;

function findingText(row: StatusRow, finding: Finding, paint: (colour: Colour, text: string) => string): string {
  const [colour, word] = MARKS[finding.severity];
  const place = finding.path === undefined ? '' : ` (${placeText(finding.path, finding.line)})`;
  const hint = finding.hint === undefined ? '' : `; ${finding.hint}`;
  return `${paint(colour, `${word}:`)} ${titleOf(row)}: ${finding.message}${place}${hint}\n`;
}

function verdict(
  { aligned, driver, differences, rows }: StatusReport,
  { expected }: StatusStyle,
  paint: (colour: Colour, text: string) => string,
): string {
  if (aligned) {
    if (rows.every(({ unused }) => unused !== undefined)) return 'nothing to align\n';
    return `${paint('green', 'aligned:')} ${driver ?? expected ?? 'no driver is in use'}\n`;
  }
  const way = expected ?? 'systemd';
  return [
    ...differences.map((text) => `${paint('red', 'not aligned:')} ${text}\n`),
    `see what would change: slicectl driver align --to ${way} --dry-run\n`,
  ].join('');
}

/** The shape that docs/drivers.md describes. */
export function statusJson(
  { aligned, driver, differences, rows }: StatusReport,
  known: readonly Recognised[],
  expected: CgroupDriver | undefined,
): string {
  const facts = { version: 1, aligned, driver, expected, differences, runtimes: rows, recognised: known };
  return `${JSON.stringify(facts, undefined, 2)}\n`;
}
