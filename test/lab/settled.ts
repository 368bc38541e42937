import type { Adapter } from './adapter.ts';
import { capture, sleep } from './process.ts';
import type { MachineRecord } from './record.ts';

/** True once systemd has ended its boot and alice's user manager answers; false when the signal comes first. */
export async function untilSettled(adapter: Adapter, record: MachineRecord, signal: AbortSignal): Promise<boolean> {
  for (const [user, command] of [
    ['root', 'systemctl is-system-running --wait'],
    ['alice', 'systemctl --user is-system-running --wait'],
  ] as const) {
    while (!signal.aborted) {
      const said = await ask(() => adapter.enter(record, user, command, []));
      if (/^(running|degraded)$/m.test(said)) break;
      await sleep(100);
    }
  }
  return !signal.aborted;
}

async function ask(command: () => string[]): Promise<string> {
  try {
    return (await capture(command(), { timeoutMs: 120_000 })).stdout;
  } catch {
    return '';
  }
}
