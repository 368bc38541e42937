import { fstatSync } from 'node:fs';
import process from 'node:process';
import { SlicectlError } from '../../core/errors.ts';
import type { LaunchOptions } from '../../job/launch.ts';
import type { Launcher } from '../../job/launcher.ts';
import type { ServiceOptions } from '../../job/service.ts';
import { print } from '../output.ts';
import type { ReceiptTarget } from '../receipt-target.ts';
import type { RunOptions } from '../run-options.ts';
import type { SignalRelay } from '../signals.ts';
import { deliver, withLease, withNotes } from './run.ts';
import type { RunLease } from './run-lease.ts';

export interface ServiceRun {
  readonly launcher: Launcher;
  readonly command: string;
  readonly args: readonly string[];
  readonly options: LaunchOptions;
  readonly given: RunOptions;
  readonly say: (text: string) => void;
  readonly target: ReceiptTarget | undefined;
  readonly relay: SignalRelay;
  readonly lease: RunLease | undefined;
}

/** `slicectl run --service`: with --wait like a scope, without it the unit's name on stdout. */
export async function runService(run: ServiceRun): Promise<number> {
  const { launcher, command, args, given, say, target, relay, lease } = run;
  const isAwaited = given.wait === true;
  const options = serviceOptions(run, isAwaited);
  if (given.dryRun) {
    const { planJson, planText } = await import('../render/plan.ts');
    const plan = withNotes(await launcher.planService(command, args, options, isAwaited), lease);
    const words = [command, ...args];
    print(given.json ? planJson(plan, words) : planText(plan, words, launcher.backend.label));
    return 0;
  }
  if (!isAwaited) {
    const service = await launcher.startDetached(command, args, options);
    lease?.started();
    for (const note of [...service.notes, ...(lease?.notes ?? [])]) say(`note: ${note}`);
    const { unit, cgroup } = service;
    print(given.json ? `${JSON.stringify({ unit, cgroup, leased: lease?.cpus })}\n` : `${unit}\n`);
    return 0;
  }
  const job = await launcher.launchService(command, args, { ...options, signal: relay.early });
  lease?.started();
  relay.to(job.pid, false);
  for (const note of [...job.notes, ...(lease?.notes ?? [])]) say(`note: ${note}`);
  const receipt = withLease(await job.result, lease);
  lease?.ended(receipt.leftRunning);
  await deliver(receipt, given, target);
  return receipt.status;
}

function serviceOptions({ options, given }: ServiceRun, isAwaited: boolean): ServiceOptions {
  const { env: _env, stdio: _stdio, openFiles: _openFiles, ignoredSignals: _ignored, ...rest } = options;
  const where = given.output ?? (isAwaited ? 'terminal' : 'journal');
  const names = ((given.setenv as readonly string[] | undefined) ?? []).map((setting) => setting.split('=')[0] ?? '');
  const setenv = Object.fromEntries(names.map((name) => [name, options.env?.[name] ?? '']));
  return {
    ...rest,
    setenv,
    expandEnvironment: given.expandEnvironment === 'yes',
    ...(where === 'terminal' && { output: { stdout: ownFile(1), stderr: ownFile(2) } }),
  };
}

/** systemd opens the caller's terminal, file or pipe by its descriptor's link, since descriptors cannot be sent. */
function ownFile(descriptor: number): string {
  if (fstatSync(descriptor).isSocket()) {
    throw new SlicectlError('E_INPUT', `--output terminal cannot reach descriptor ${descriptor}, which is a socket`, {
      hint: 'give --output journal, or add | cat',
    });
  }
  return `/proc/${process.pid}/fd/${descriptor}`;
}
