import childProcess from 'node:child_process';
import fs, { writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';
import type { ChangeContext } from '../../../src/change/engine.ts';
import type { Action } from '../../../src/change/plan.ts';
import { Manager } from '../../../src/dbus/systemd1.ts';

/**
 * When a step ends its process: before it begins, after the first thing that it changes outside (a call to systemd or a
 * write to the kernel), or once all is done and before that is noted. A step without such a moment ends it when it is
 * noted.
 */
export type When = 'begin' | 'within' | 'carried';

export interface Bomb {
  readonly direction: 'forward' | 'back';
  /** From 1; on the way back among those that are no files. */
  readonly step: number;
  readonly when: When;
}

/** Kernel files that were opened to be written. */
const opened = new Set<number>();

/** The same hands, which end this process by SIGKILL at the given moment, and print the moment before. */
export function fuse(context: ChangeContext, bomb: Bomb): ChangeContext {
  let isArmed = false;
  let begun = 0;
  const end = (moment: When | 'noted'): void => {
    if (!isArmed || (moment !== bomb.when && moment !== 'noted')) return;
    writeSync(1, moment);
    process.kill(process.pid, 'SIGKILL');
  };
  const after =
    <A extends unknown[], T>(moment: When, work: (...argv: A) => Promise<T>) =>
    async (...argv: A): Promise<T> => {
      const answer = await work(...argv);
      end(moment);
      return answer;
    };
  watchChanges(() => end('within'), after);
  const wrapAction = (action: Action): Action => ({
    assertAsPlanned: (parameters) => action.assertAsPlanned(parameters),
    facts: (parameters) => action.facts(parameters),
    carryOut: after('carried', (parameters, facts) => action.carryOut(parameters, facts)),
    takeBack: after('carried', (parameters, facts) => action.takeBack(parameters, facts)),
  });
  const mapped = <T>(table: Readonly<Record<string, T>>, wrap: (each: T) => T): Readonly<Record<string, T>> =>
    Object.fromEntries(Object.entries(table).map(([name, each]) => [name, wrap(each)]));
  return {
    ...context,
    actions: mapped(context.actions, wrapAction),
    checks: mapped(context.checks, (check) => after('carried', check)),
    manager: async (which) => {
      const control = await context.manager(which);
      return {
        ...control,
        reload: after('carried', () => control.reload()),
        job: after('carried', (verb, unit) => control.job(verb, unit)),
      };
    },
    onProgress: ({ what, direction, step, number }) => {
      const isBack = direction === 'back';
      if (direction !== bomb.direction || (isBack && step.kind === 'file')) return;
      if (what === 'done') end('noted');
      if (what !== 'begin') return;
      begun += 1;
      isArmed = (isBack ? begun : number) === bomb.step;
      end('begin');
    },
  };
}

type After = <A extends unknown[], T>(moment: When, work: (...argv: A) => Promise<T>) => (...argv: A) => Promise<T>;

/** Calls that change something, of this process from now on. */
function watchChanges(changed: () => void, after: After): void {
  const calls = ['setUnitProperties', 'startUnit', 'stopUnit', 'startTransientUnit', 'reload'] as const;
  const prototype = Manager.prototype as unknown as Record<string, (...argv: unknown[]) => Promise<unknown>>;
  for (const name of calls) {
    const call = prototype[name];
    if (call === undefined) throw new Error(`no call ${name}`);
    prototype[name] = function watched(this: Manager, ...argv: unknown[]) {
      return after('within', () => call.apply(this, argv))();
    };
  }
  const { openSync, writeSync: write } = fs;
  fs.openSync = (path, ...rest) => {
    const file = openSync(path, ...rest);
    if (/^\/(proc|sys)\//.test(String(path))) opened.add(file);
    else opened.delete(file);
    return file;
  };
  fs.writeSync = ((...argv: Parameters<typeof fs.writeSync>) => {
    const written = write(...argv);
    if (opened.has(argv[0])) changed();
    return written;
  }) as typeof fs.writeSync;
  const modules = childProcess as { execFile: typeof childProcess.execFile };
  const { execFile } = modules;
  const run = promisify(execFile) as (...argv: unknown[]) => Promise<unknown>;
  modules.execFile = Object.assign((...argv: Parameters<typeof execFile>) => execFile(...argv), {
    [promisify.custom]: after('within', run),
  }) as unknown as typeof execFile;
  syncBuiltinESMExports();
}
