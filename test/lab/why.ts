import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { Adapter } from './adapter.ts';
import { lastWords } from './last-words.ts';
import { capture } from './process.ts';
import type { MachineRecord } from './record.ts';

const script = 'systemctl --no-pager list-jobs; systemctl --no-pager --failed; journalctl --no-pager --boot --lines=60';

/**
 * What can tell why a machine did not boot: its own words, where it can still be asked, and what this host may have run
 * out of. systemd without an inotify instance left ends at once as PID 1, without a word.
 */
export async function whyNot(adapter: Adapter, record: MachineRecord): Promise<string> {
  const question = adapter.ask(record, script);
  const said = question && (await capture(question, { timeoutMs: 30_000 }).catch((error: Error) => error.message));
  const words =
    typeof said === 'object' ? `${said.stdout}${said.stderr}` : (said ?? 'it has ended and cannot be asked');
  return `${words}${lastWords(record.name)}\n${inotifyUse()}`;
}

/** Containers count as root of this host: their instances are this host's. */
function inotifyUse(): string {
  const limit = readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8').trim();
  const used = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(instancesOf).length;
  return `inotify: ${used} of ${limit} instances of root are in use (fs.inotify.max_user_instances)`;
}

function instancesOf(pid: string): string[] {
  try {
    if (statSync(`/proc/${pid}`).uid !== 0) return [];
    return readdirSync(`/proc/${pid}/fd`).filter((fd) => linkOf(`/proc/${pid}/fd/${fd}`).endsWith('inotify'));
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
