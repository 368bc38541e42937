import { adapterOf } from './adapters.ts';
import type { MachineSpec } from './catalogue.ts';
import { hostCommand } from './command.ts';
import { capture, sleep } from './process.ts';
import { readRecord } from './record.ts';
import { untilSettled } from './settled.ts';

/**
 * A machine with Linux 7.2 was seen twice to print nothing after its restart, while QEMU was busy. Why is not known; a boot
 * that hangs each time by what is on the disk hangs after the reset, too. That one was needed is told.
 */
const SILENT_MS = 330_000;

/** Reboots a machine by its own systemd and waits until it is ready again. */
export async function reboot(spec: MachineSpec): Promise<void> {
  const signal = AbortSignal.timeout(adapterOf(spec).bootTimeoutMs);
  const before = await bootTime(spec);
  await ask(spec, ['systemctl', '--no-block', 'reboot']);
  const silentAt = Date.now() + SILENT_MS;
  let isReset = false;
  // The host's boot id is that of a container too, so the start of PID 1 tells one boot from another.
  while (!signal.aborted) {
    const now = await bootTime(spec);
    if (now !== '' && now !== before) break;
    const record = readRecord(spec.name);
    if (!isReset && Date.now() > silentAt && record !== undefined) {
      isReset = true;
      console.error(`lab: ${spec.name} was silent for ${SILENT_MS / 1000} s after its restart, and is reset`);
      await adapterOf(spec).reset?.(record);
    }
    await sleep(500);
  }
  const record = readRecord(spec.name);
  const isReady = record !== undefined && (await untilSettled(adapterOf(spec), record, signal));
  if (!isReady) throw new Error(`lab: ${spec.name} did not come back from its reboot`);
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
