import process from 'node:process';
import { isatty } from 'node:tty';
import { styleText } from 'node:util';
import { badInput, quote, SlicectlError } from '../../core/errors.ts';
import { isWrong, audit as lookAt } from '../../cpus/audit/audit.ts';
import { planFix } from '../../cpus/audit/fix.ts';
import { watchAudit } from '../../cpus/audit/watch.ts';
import type { CpuHost } from '../../cpus/show.ts';
import { closeHost, openHost } from '../../drivers/hosts.ts';
import type { DriverHost } from '../../drivers/model.ts';
import { readSelf } from '../../host/self.ts';
import { print } from '../output.ts';
import { auditText, eventText } from '../render/cpus-audit.ts';
import { auditJson, watchJson } from '../render/cpus-audit-json.ts';
import type { PictureStyle } from '../render/cpus-picture.ts';
import { carryOut, cpuMeans } from './change.ts';
import { cpuHostOf } from './cpu-host.ts';

export interface AuditOptions {
  readonly window: string;
  readonly fix?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const WRONG = 3;
/** Where stdout is no terminal, or does not say how wide it is. */
const USUAL_WIDTH = 80;
const LONGEST_WINDOW_S = 3600;

/** `slicectl cpus audit`: 0 clean, 3 not. */
export async function audit(name: string | undefined, options: AuditOptions): Promise<number> {
  const windowMs = parseWindow(options.window);
  if (options.fix && options.watch) throw badInput('--fix and --watch do not go together', 'use one of them');
  const host = await openHost({ self: readSelf() });
  try {
    const at = cpuHostOf(host);
    if (options.watch) return await watch(at, name, options);
    if (options.fix) return await fix(host, at, name, options);
    const report = await endable((signal) => lookAt(at, { name, windowMs, signal }));
    print(options.json ? auditJson(report) : auditText(report, style()));
    return report.isClean ? 0 : WRONG;
  } finally {
    closeHost(host);
  }
}

/** Seconds, also parts of one. */
function parseWindow(text: string): number {
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= LONGEST_WINDOW_S)) {
    throw badInput(`--window ${quote(text)} is no time in seconds`, `write a number from 0 to ${LONGEST_WINDOW_S}`);
  }
  return seconds * 1000;
}

async function fix(host: DriverHost, at: CpuHost, name: string | undefined, options: AuditOptions): Promise<number> {
  const report = await lookAt(at, { name, windowMs: 0 });
  const plan = planFix(report, { tree: at.tree, paths: at.paths });
  const link = at.system;
  if (plan.steps.length > 0 && link === undefined) {
    throw new SlicectlError('E_NO_BUS', 'systemd does not answer, and what mends this needs it', {
      hint: 'is systemd the init of this system?',
    });
  }
  const ended = await carryOut(plan, host, await cpuMeans(host), options);
  if (ended !== 0 || options.dryRun) return ended;
  const after = await lookAt(at, { name, windowMs: 0 });
  if (!options.json) print(auditText(after, style()));
  return after.isClean ? 0 : WRONG;
}

/** Until Ctrl-C: 0 if all was right at last. As JSON, what is wrong at the beginning is an event too. */
async function watch(at: CpuHost, name: string | undefined, { json }: AuditOptions): Promise<number> {
  const isRight = await endable((signal) =>
    watchAudit(at, {
      name,
      signal,
      onBegin: (report) => {
        if (!json) return print(auditText(report, style()));
        const begin = new Date();
        for (const finding of report.findings.filter(isWrong)) print(watchJson({ at: begin, state: 'wrong', finding }));
      },
      onEvent: (event) => print(json ? watchJson(event) : eventText(event, style())),
    }),
  );
  return isRight ? 0 : WRONG;
}

/** Lets Ctrl-C and SIGTERM end a look early, with what was seen until then. */
async function endable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  try {
    return await work(ending.signal);
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

function style(): PictureStyle {
  const isColoured = isatty(1) && !process.env.NO_COLOR;
  return {
    width: (isatty(1) && process.stdout.columns) || USUAL_WIDTH,
    paint: (name, text) => (isColoured ? styleText(name, text) : text),
  };
}
