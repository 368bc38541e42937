import { styleText } from 'node:util';
import type { ChangeRecord } from '../../change/journal.ts';
import { quote } from '../../core/errors.ts';
import type { Recognised } from '../../drivers/distributions/recognise.ts';
import type { CgroupDriver, Finding, Source } from '../../drivers/model.ts';
import { type StatusReport, type StatusRow, titleOf } from '../../drivers/status.ts';
import type { ChangeStyle } from './change.ts';
import { tableText } from './table.ts';
import { visible } from './visible.ts';

/** What is shown of a host. */
export interface HostStatus extends StatusReport {
  /** `/`, or the folder of `--root`. */
  readonly root: string;
  readonly expected: CgroupDriver | undefined;
  readonly recognised: readonly Recognised[];
  /** A change that is not over. */
  readonly interrupted: ChangeRecord | undefined;
}

type Paint = (colour: 'red' | 'yellow' | 'green' | 'dim', text: string) => string;

/** The table of runtimes, what is wrong with each, and the verdict with the way out. */
export function statusText(host: HostStatus, { colour }: ChangeStyle): string {
  const paint: Paint = (name, text) => (colour ? styleText(name, text) : text);
  const { rows, recognised, interrupted } = host;
  const parts = [
    ...(interrupted === undefined ? [] : [interruptedText(interrupted, paint)]),
    ...recognised.map(({ name, why, advice }) => `${paint('dim', 'note:')} ${name} (${why}): ${advice}\n`),
    ...(rows.length === 0 ? ['no container runtime and no kubelet was found\n'] : [rowsTable(rows)]),
    ...rows.flatMap((row) => row.findings.map((finding) => findingText(row, finding, paint))),
    ...rows.flatMap((row) => (row.unused === undefined ? [] : [unusedText(row, row.unused, paint)])),
    verdict(host, paint),
  ];
  return parts.join('');
}

function interruptedText({ id, plan }: ChangeRecord, paint: Paint): string {
  const way = `slicectl undo ${id} takes it back, slicectl resume ${id} finishes it`;
  return `${paint('red', 'interrupted:')} change ${id} (${visible(plan.title)}); ${way}\n`;
}

function unusedText(row: StatusRow, why: string, paint: Paint): string {
  return `${paint('dim', 'note:')} ${titleOf(row)} is not judged: ${why}\n`;
}

function rowsTable(rows: readonly StatusRow[]): string {
  return tableText(
    ['RUNTIME', 'VERSION', 'NOW', 'NEXT START', 'SET BY'],
    rows.map((row) => [
      row.instance === '' ? row.runtime : `${row.runtime} (${row.instance})`,
      row.version ?? '?',
      row.running?.driver ?? '-',
      row.configured.driver ?? (isStopped(row) ? 'does not start' : '-'),
      sourceText(row.configured.source),
    ]),
  );
}

/** A row without a driver of its own, such as a containerd whose CRI is off, starts all the same. */
function isStopped({ findings, follows }: StatusRow): boolean {
  return follows === undefined && findings.some(({ severity }) => severity !== 'info');
}

/** `/etc/docker/daemon.json:2 (exec-opts)`, or the words alone where there is no file. */
function sourceText({ path, line, text }: Source): string {
  return path === undefined ? text : `${placeText(path, line)} (${text})`;
}

function placeText(path: string, line: number | undefined): string {
  return line === undefined ? path : `${path}:${line}`;
}

const MARKS = { error: ['red', 'error'], warning: ['yellow', 'warning'], info: ['dim', 'note'] } as const;

function findingText(row: StatusRow, finding: Finding, paint: Paint): string {
  const [colour, word] = MARKS[finding.severity];
  const at = finding.path === undefined ? '' : placeText(finding.path, finding.line);
  const place = at === '' || finding.message.includes(at) ? '' : ` (${at})`;
  const hint = finding.hint === undefined ? '' : `; ${finding.hint}`;
  const title = titleOf(row);
  const subject = finding.message.startsWith(`${title} `) ? '' : `${title}: `;
  return `${paint(colour, `${word}:`)} ${visible(`${subject}${finding.message}${place}${hint}`)}\n`;
}

function verdict({ root, aligned, driver, differences, rows, expected }: HostStatus, paint: Paint): string {
  if (aligned) {
    if (rows.every(({ unused }) => unused !== undefined)) return 'nothing to align\n';
    return `${paint('green', 'aligned:')} ${driver ?? expected ?? 'no driver is in use'}\n`;
  }
  const where = root === '/' ? '' : ` --root ${quote(root)}`;
  return [
    ...differences.map((text) => `${paint('red', 'not aligned:')} ${visible(text)}\n`),
    `see what would change: slicectl driver align --to ${expected ?? 'systemd'}${where} --dry-run\n`,
  ].join('');
}

/** The shape that docs/drivers.md describes. */
export function statusJson({ rows, interrupted, ...facts }: HostStatus): string {
  const shape = {
    version: 1,
    ...facts,
    runtimes: rows,
    interrupted: interrupted && { id: interrupted.id, title: interrupted.plan.title },
  };
  return `${JSON.stringify(shape, undefined, 2)}\n`;
}
