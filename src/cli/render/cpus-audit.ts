import { intersection, printIndexSet } from '../../core/cpuset.ts';
import { type AuditReport, isWrong } from '../../cpus/audit/audit.ts';
import type { Activity } from '../../cpus/audit/did-run.ts';
import { isInSlice } from '../../cpus/audit/place.ts';
import type { WatchEvent } from '../../cpus/audit/watch.ts';
import { durationText } from '../../cpus/audit/words.ts';
import type { Finding } from '../../cpus/finding.ts';
import { listText } from '../../cpus/roles.ts';
import type { PictureStyle } from './cpus-picture.ts';
import { tableText } from './table.ts';
import { visible } from './visible.ts';

/** The verdict for each reservation, what breaks it first, and what stays on payload CPUs anyway. */
export function auditText(report: AuditReport, style: PictureStyle): string {
  const { findings } = report;
  const wrong = findings.filter(isWrong);
  const parts = [
    headlines(report, style),
    wrong.map((finding) => findingText(finding, style)).join('\n'),
    activitySection(report, style),
    listSection('What stays on payload CPUs anyway', findings, 'unmovable', style),
    listSection('Worth knowing', findings, 'info', style),
    fixLine(wrong),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function headlines(
  { records, facts, wanted, holds, findings, isClean }: AuditReport,
  { paint, width }: PictureStyle,
): string {
  const system = listText(intersection(wanted.system, facts.topology.online));
  const count = findings.filter(isWrong).length;
  if (records.length === 0) {
    const verdict = isClean
      ? 'nothing is left of earlier ones'
      : `${count === 1 ? 'one thing is' : `${count} things are`} left of earlier ones, or of others' sets`;
    return paragraph('', `no CPUs are reserved (system CPUs ${system}); ${verdict}`, width);
  }
  return records
    .map(({ name, cpus, partition }) => {
      const open = holds.find((one) => one.name === name)?.open ?? 0;
      const verdict =
        open > 0 ? paint('red', 'DOES NOT HOLD') : isClean ? paint('green', 'holds') : paint('yellow', 'holds for now');
      const kind = partition === undefined ? '' : `, ${partition} partition`;
      return `${paint('bold', name)} ${verdict}: payload CPUs ${printIndexSet(cpus)}, system CPUs ${system}${kind}\n`;
    })
    .join('');
}

const INDENT = '  ';
const HANGING = '      ';

function findingText({ severity, subject, what, cause, cure }: Finding, { paint, width }: PictureStyle): string {
  const colour = severity === 'breach' ? 'red' : 'yellow';
  const head = `${severity === 'breach' ? 'BREACH' : 'drift'} ${visible(subject)}`;
  return [
    `${paint(colour, head)}\n`,
    paragraph(INDENT, what, width),
    paragraph(INDENT, `why:  ${cause}`, width, `${HANGING}  `),
    ...(cure === '' ? [] : [paragraph(INDENT, `cure: ${cure}`, width, `${HANGING}  `)]),
  ].join('');
}

/** Words in lines of the width; a word that is longer stands alone. */
function paragraph(indent: string, text: string, width: number, hanging = indent): string {
  const rows: string[] = [];
  let row = indent;
  let isEmpty = true;
  for (const word of visible(text).split(/(?<! ) /)) {
    if (!isEmpty && row.length + 1 + word.length > width) {
      rows.push(row);
      row = hanging;
      isEmpty = true;
    }
    row += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...rows, row].map((line) => `${line}\n`).join('');
}

function listSection(
  title: string,
  findings: readonly Finding[],
  severity: Finding['severity'],
  { paint, width }: PictureStyle,
): string {
  const lines = findings
    .filter((finding) => finding.severity === severity)
    .map(({ subject, what, cause, cure }) => {
      const way = cure === '' ? '' : `; ${cure}`;
      return paragraph(INDENT, `${what} (${subject}): ${cause}${way}`, width, INDENT + INDENT);
    });
  return lines.length === 0 ? '' : `${paint('bold', title)}\n${lines.join('')}`;
}

/** How the time of each payload CPU went. */
function activitySection({ activity, records }: AuditReport, { paint, width }: PictureStyle): string {
  if (activity === undefined) return '';
  const whole = activity.windowMs;
  const rows = [...activity.cpus].map(([cpu, { tasks, interrupts, steal, queue }]) => {
    const share = shareOf(
      activity,
      cpu,
      records.map(({ name }) => name),
    );
    return [
      String(cpu),
      // The scheduler's own count is exact; that of ticks misses what is short.
      percent((queue === undefined ? tasks : Number(queue.ranNs) / 1e6) + interrupts, whole),
      percent(share.payload, whole),
      percent(share.others, whole),
      percent(share.kernel, whole),
      percent(interrupts, whole),
      percent(steal, whole),
      queue === undefined ? '-' : `${durationText(Number(queue.waitedNs) / 1e6)} in ${queue.turns} turns`,
    ];
  });
  const head = ['CPU', 'BUSY', 'PAYLOAD', 'OTHERS', 'KERNEL', 'INTERRUPTS', 'STOLEN', 'WAITED FOR'];
  const text = [
    `${paint('bold', `Payload CPUs, watched for ${durationText(whole)}`)}\n`,
    tableText(head, rows).replace(/^/gm, INDENT).replace(/ +$/, ''),
    ...noiseLines(
      activity,
      records.map(({ name }) => name),
    ).map((line) => paragraph(INDENT, line, width, INDENT + INDENT)),
  ];
  return text.join('');
}

interface Share {
  readonly payload: number;
  readonly others: number;
  readonly kernel: number;
}

function shareOf({ tasks }: Activity, cpu: number, slices: readonly string[]): Share {
  const sum = (isOf: (task: Activity['tasks'][number]['task']) => boolean): number =>
    tasks.filter(({ task }) => isOf(task)).reduce((all, { cpus }) => all + (cpus.get(cpu) ?? 0), 0);
  const isPayload = (cgroup: string | undefined): boolean =>
    cgroup !== undefined && slices.some((slice) => isInSlice(cgroup, slice));
  return {
    payload: sum(({ kind, cgroup }) => kind === 'user' && isPayload(cgroup)),
    others: sum(({ kind, cgroup }) => kind === 'user' && !isPayload(cgroup)),
    kernel: sum(({ kind }) => kind !== 'user'),
  };
}

function percent(part: number, whole: number): string {
  const value = (100 * part) / whole;
  return value === 0 ? '-' : value < 0.1 ? '<0.1%' : `${Math.min(value, 100).toFixed(value < 10 ? 1 : 0)}%`;
}

const MOST_COUNTERS = 6;

function noiseLines(activity: Activity, slices: readonly string[]): string[] {
  const own = activity.tasks.filter(
    ({ task, involuntary }) =>
      involuntary > 0 && task.cgroup !== undefined && slices.some((slice) => isInSlice(task.cgroup ?? '', slice)),
  );
  const switches = own.reduce((sum, { involuntary }) => sum + involuntary, 0);
  const first = own.toSorted((a, b) => b.involuntary - a.involuntary).slice(0, 3);
  const lines = activity.interrupts.map(({ number, name, counts }) => {
    const count = [...counts.values()].reduce((sum, one) => sum + one, 0);
    return `${name || number} ${count}`;
  });
  const counters = [...activity.cpuInterrupts].map(([name, count]) => `${name} ${count}`);
  const softirqs = [...activity.softirqs].map(([name, count]) => `${name} ${count}`);
  return [
    ...(switches === 0
      ? []
      : [
          `payload threads had to give way ${switches} times: ${first.map(({ task, involuntary }) => `${task.name} ${involuntary}`).join(', ')}`,
        ]),
    ...(lines.length === 0 ? [] : [`device interrupts: ${shortened(lines)}`]),
    ...(counters.length === 0 ? [] : [`the CPUs' own interrupts: ${shortened(counters)}`]),
    ...(softirqs.length === 0 ? [] : [`softirqs: ${shortened(softirqs)}`]),
  ];
}

function shortened(words: readonly string[]): string {
  const more = words.length - MOST_COUNTERS;
  return `${words.slice(0, MOST_COUNTERS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function fixLine(wrong: readonly Finding[]): string {
  const fixable = wrong.filter(({ isFixable }) => isFixable).length;
  if (wrong.length === 0) return '';
  if (fixable === 0) return 'none of this can be mended by slicectl itself: see the cures\n';
  return `slicectl cpus audit --fix plans the cures of ${fixable === wrong.length ? 'all of it' : `${fixable} of ${wrong.length}`}\n`;
}

/** One entry of `--watch`. */
export function eventText({ at, state, finding }: WatchEvent, style: PictureStyle): string {
  const time = at.toTimeString().slice(0, 8);
  if (state === 'wrong') return `${time} ${findingText(finding, style)}`;
  const { subject, kind } = finding;
  return `${time} ${style.paint('green', 'right again')} ${visible(subject)} (${kind})\n`;
}
