import { constants } from 'node:os';
import process from 'node:process';
import { badInput, errnoOf, quote } from '../../core/errors.ts';
import { expandWords } from '../../core/expand.ts';
import { readIfThere } from '../../host/files.ts';
import type { LaunchOptions } from '../../job/launch.ts';
import { Launcher, type LauncherOptions } from '../../job/launcher.ts';
import type { Receipt } from '../../job/receipt.ts';
import { readLimits } from '../limits.ts';
import { openReceiptFile, type ReceiptTarget } from '../receipt-target.ts';
import { relaySignals } from '../signals.ts';

/** What commander made of `slicectl run`; each key is the option's name in camel case. */
export type RunOptions = Readonly<Record<string, unknown>>;

/** `slicectl run`: the exit status of the job, or 125 to 127 when it could not be started as asked. */
export async function run(words: readonly string[], given: RunOptions): Promise<number> {
  const [command = '', ...written] = words;
  const say = given.quiet ? () => undefined : (text: string) => void process.stderr.write(`slicectl: ${text}\n`);
  const target = given.dryRun ? undefined : receiptTarget(given);
  const relay = relaySignals();
  const launcher = await Launcher.open(launcherOptions(given));
  try {
    const options = launchOptions(given, launcher);
    const expands = given.expandEnvironment === 'yes' && !given.service;
    const args = expands ? expandWords(written, options.env ?? process.env) : written;
    if (given.service) {
      const { runService } = await import('./run-service.ts');
      return await runService({ launcher, command, args, options, given, say, target, relay });
    }
    if (given.dryRun) {
      const { planText, planJson } = await import('../render/plan.ts');
      const plan = await launcher.plan(command, args, options);
      process.stdout.write(
        given.json ? planJson(plan, [command, ...args]) : planText(plan, [command, ...args], launcher.backend.label),
      );
      return 0;
    }
    const job = await launcher.launch(command, args, { ...options, signal: relay.early });
    relay.to(job.pid);
    for (const note of job.notes) say(`note: ${note}`);
    sweepQuietly(launcher);
    const receipt = await job.result;
    await deliver(receipt, given, target);
    if (receipt.leftRunning > 0) say(`note: ${leftText(receipt)}`);
    return receipt.status;
  } catch (error) {
    if (relay.earlySignal === undefined) throw error;
    return 128 + constants.signals[relay.earlySignal];
  } finally {
    relay.stop();
    launcher.close();
  }
}

function launcherOptions(given: RunOptions): LauncherOptions {
  if (given.user && given.system) throw badInput('--user and --system contradict each other', 'give one of them');
  const manager = given.user ? ('user' as const) : given.system ? ('system' as const) : undefined;
  const backend = given.backend as LauncherOptions['backend'];
  return { ...(manager && { manager }), ...(backend && { backend }) };
}

function launchOptions(given: RunOptions, launcher: Launcher): LaunchOptions {
  const text = (key: string): string | undefined => given[key] as string | undefined;
  const list = (key: string): readonly string[] => (given[key] as readonly string[] | undefined) ?? [];
  const limits = readLimits(
    { profiles: list('profile'), properties: list('property'), flag: (name) => text(camel(name)) },
    launcher.machine,
  );
  const env = environment(list('setenv'));
  const openFiles = callersOpenFiles();
  const nice = text('nice');
  return {
    limits,
    ...(env && { env }),
    ...(openFiles !== undefined && { openFiles }),
    ...(nice !== undefined && { nice: niceLevel(nice) }),
    ...defined({
      slice: text('slice'),
      unit: text('unit'),
      description: text('description'),
      uid: text('uid'),
      gid: text('gid'),
      cwd: text('workingDirectory'),
      leftover: text('leftover') as LaunchOptions['leftover'],
    }),
    sliceInherit: given.sliceInherit === true,
    bestEffort: given.bestEffort === true,
    limitsEnv: given.limitsEnv === true,
  };
}

function defined<T extends Readonly<Record<string, unknown>>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** The key that commander makes of an option's name. */
function camel(name: string): string {
  return name.replace(/^--/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function niceLevel(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw badInput(`--nice ${quote(text)} is not a number`, 'write -20 (first) to 19 (last)');
  return Number(text);
}

/** `NAME=value` sets, `NAME` alone passes the caller's value on, which a scope does in any case. */
function environment(settings: readonly string[]): NodeJS.ProcessEnv | undefined {
  if (settings.length === 0) return undefined;
  const env = { ...process.env };
  for (const setting of settings) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)(?:=([\s\S]*))?$/.exec(setting) ?? [];
    if (name === undefined)
      throw badInput(`--setenv ${quote(setting)} is not NAME=value`, 'names have letters, digits and _');
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The soft limit of open files that the caller's shell has; Node raised that of this process. */
function callersOpenFiles(): number | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(readParentLimits() ?? '')?.[1];
  return limit === undefined ? undefined : Number(limit);
}

function readParentLimits(): string | undefined {
  try {
    return readIfThere(`/proc/${process.ppid}/limits`);
  } catch (error) {
    // Another user's parent (sudo): then the job keeps the raised limit.
    if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM') return undefined;
    throw error;
  }
}

function receiptTarget(given: RunOptions): ReceiptTarget | undefined {
  return typeof given.receiptFile === 'string' ? openReceiptFile(given.receiptFile) : undefined;
}

/** Prints the receipt where and as it was asked for. */
export async function deliver(receipt: Receipt, given: RunOptions, target: ReceiptTarget | undefined): Promise<void> {
  const asked = given.json ? 'json' : given.receipt;
  const form = asked ?? (target ? 'json' : process.stderr.isTTY && !given.quiet ? 'text' : 'none');
  if (form === 'none') return;
  const { receiptText } = await import('../render/receipt.ts');
  const { receiptJson } = await import('../../job/receipt.ts');
  const text = form === 'json' ? `${JSON.stringify(receiptJson(receipt))}\n` : receiptText(receipt);
  if (target) target.write(text);
  else process.stderr.write(text);
}

function leftText({ leftRunning, unit, cgroup }: Receipt): string {
  const what = leftRunning === 1 ? '1 process' : `${leftRunning} processes`;
  return `${what} of the job still run under its limits in ${unit ?? cgroup}; --leftover kill or wait would end or await them`;
}

/** Clears away what killed launchers left, while the job runs; whatever fails there is no matter of this job. */
function sweepQuietly(launcher: Launcher): void {
  launcher.sweep().catch(() => undefined);
}
