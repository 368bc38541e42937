import { adapterOf } from './adapters.ts';
import type { MachineSpec } from './catalogue.ts';
import { hostCommand } from './command.ts';
import { lastWords } from './last-words.ts';
import { capture, sleep } from './process.ts';
import { readRecord } from './record.ts';
import { untilSettled } from './settled.ts';

/** Reboots a machine by its own systemd and waits until it is ready again. */
export async function reboot(spec: MachineSpec): Promise<void> {
  const signal = AbortSignal.timeout(adapterOf(spec).bootTimeoutMs);
  const before = await bootTime(spec);
  await ask(spec, ['systemctl', '--no-block', 'reboot']);
  // The host's boot id is that of a container too, so the start of PID 1 tells one boot from another.
  while (!signal.aborted) {
    const now = await bootTime(spec);
    if (now !== '' && now !== before) break;
    await sleep(500);
  }
  const record = readRecord(spec.name);
  const isReady = record !== undefined && (await untilSettled(adapterOf(spec), record, signal));
  if (!isReady) throw new Error(`lab: ${spec.name} did not come back from its reboot${lastWords(spec.name)}`);
}

const bootTime = (spec: MachineSpec): Promise<string> =>
  ask(spec, ['sh', '-c', 'cat /proc/sys/kernel/random/boot_id; cut -d" " -f22 /proc/1/stat']);

async function ask(spec: MachineSpec, argv: readonly string[]): Promise<string> {
  try {
    return (await capture(hostCommand(spec, argv), { timeoutMs: 30_000 })).stdout.trim();
  } catch {
    return '';
  }
}
