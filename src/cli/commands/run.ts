import { constants } from 'node:os';
import process from 'node:process';
import type { Plan } from '../../backend/backend.ts';
import { expandWords } from '../../core/expand.ts';
import { Launcher } from '../../job/launcher.ts';
import type { Receipt } from '../../job/receipt.ts';
import { readInheritance } from '../inheritance.ts';
import { isStderrTerminal, print, tell } from '../output.ts';
import { descriptorOf, openReceiptFile, type ReceiptTarget } from '../receipt-target.ts';
import { launcherOptions, launchOptions, type RunOptions } from '../run-options.ts';
import { relaySignals } from '../signals.ts';
import type { RunLease } from './run-lease.ts';

/** How `slicectl run` is to end: with a status, or by the signal that ended the job. */
export type Ending = number | NodeJS.Signals;

/** `slicectl run`: the job's own ending, or a status of 125 to 127 when it could not be started as asked. */
export async function run(words: readonly string[], given: RunOptions): Promise<Ending> {
  const [command = '', ...written] = words;
  const say = given.quiet ? () => undefined : (text: string) => tell(`slicectl: ${text}\n`);
  const where = launcherOptions(given);
  const receiptFile = given.receiptFile as string | undefined;
  const inheritance = readInheritance(receiptFile === undefined ? undefined : descriptorOf(receiptFile));
  const relay = relaySignals(inheritance.ignoredSignals);
  let launcher: Launcher | undefined;
  let target: ReceiptTarget | undefined;
  let lease: RunLease | undefined;
  try {
    launcher = await Launcher.open(where);
    const plain = launchOptions(given, launcher.machine, inheritance);
    if (given.exclusive !== undefined) {
      const { leaseFor } = await import('./run-lease.ts');
      lease = await leaseFor(given, plain.limits, launcher, command);
    }
    const options = lease
      ? { ...launchOptions(lease.given, launcher.machine, inheritance), placed: lease.placed }
      : plain;
    const expands = given.expandEnvironment === 'yes' && !given.service;
    const args = expands ? expandWords(written, options.env ?? process.env) : written;
    if (receiptFile !== undefined && !given.dryRun) target = openReceiptFile(receiptFile, inheritance.descriptors);
    if (given.service) {
      const { runService } = await import('./run-service.ts');
      return await runService({ launcher, command, args, options, given, say, target, relay, lease });
    }
    if (given.dryRun) {
      const { planText, planJson } = await import('../render/plan.ts');
      const plan = withNotes(await launcher.plan(command, args, options), lease);
      print(
        given.json ? planJson(plan, [command, ...args]) : planText(plan, [command, ...args], launcher.backend.label),
      );
      return 0;
    }
    const job = await launcher.launch(command, args, { ...options, signal: relay.early });
    lease?.started();
    relay.to(job.pid);
    for (const note of [...job.notes, ...(lease?.notes ?? [])]) say(`note: ${note}`);
    const sweeping = sweepSoon(launcher);
    const receipt = withLease(await job.result, lease);
    lease?.ended(receipt.leftRunning);
    clearTimeout(sweeping);
    await deliver(receipt, given, target);
    if (receipt.leftRunning > 0) say(`note: ${leftText(receipt)}`);
    return ending(receipt);
  } catch (error) {
    lease?.failed(error);
    target?.abandon();
    if (relay.earlySignal === undefined) throw error;
    return relay.earlySignal === 'SIGINT' ? 'SIGINT' : 128 + constants.signals[relay.earlySignal];
  } finally {
    relay.stop();
    launcher?.close();
  }
}

/** What a dry run prints of a plan, with what is to be known of the lease. */
export function withNotes(plan: Plan, lease: RunLease | undefined): Plan {
  return lease ? { ...plan, notes: [...plan.notes, ...lease.notes.map((text) => ({ text }))] } : plan;
}

export function withLease(receipt: Receipt, lease: RunLease | undefined): Receipt {
  return lease ? { ...receipt, leased: lease.cpus, notes: [...receipt.notes, ...lease.notes] } : receipt;
}

/** A shell ends its loop after Ctrl-C only when it sees that SIGINT itself ended the command. */
function ending({ exit, status }: Receipt): Ending {
  return exit.signal === 'SIGINT' ? 'SIGINT' : status;
}

/** Prints the receipt where and as it was asked for. */
export async function deliver(receipt: Receipt, given: RunOptions, target: ReceiptTarget | undefined): Promise<void> {
  const asked = given.json ? 'json' : given.receipt;
  const form = asked ?? (target ? 'json' : isStderrTerminal() && !given.quiet ? 'text' : 'none');
  if (form === 'none') return;
  const text = form === 'json' ? await jsonText(receipt) : await plainText(receipt, target === undefined);
  if (target) target.write(text);
  else tell(text);
}

async function plainText(receipt: Receipt, isForStderr: boolean): Promise<string> {
  const { receiptText } = await import('../render/receipt.ts');
  const { NO_COLOR, TERM } = process.env;
  return receiptText(receipt, isForStderr && isStderrTerminal() && !NO_COLOR && TERM !== 'dumb');
}

async function jsonText(receipt: Receipt): Promise<string> {
  const { receiptJson } = await import('../../job/receipt.ts');
  return `${JSON.stringify(receiptJson(receipt))}\n`;
}

function leftText({ leftRunning, unit, cgroup }: Receipt): string {
  const what = leftRunning === 1 ? '1 process' : `${leftRunning} processes`;
  return `${what} of the job still run under its limits in ${unit ?? cgroup}; --leftover kill or wait would end or await them`;
}

/** A job that ends sooner is not made to wait for the sweep. */
const SWEEP_AFTER_MS = 100;

/** Clears away what killed launchers left, while the job runs; whatever fails there is no matter of this job. */
function sweepSoon(launcher: Launcher): NodeJS.Timeout {
  return setTimeout(() => void launcher.sweep().catch(() => undefined), SWEEP_AFTER_MS).unref();
}
