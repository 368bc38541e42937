import { catalogue } from '../catalogue.ts';
import { chosen } from '../chosen.ts';
import { LabMachine } from '../lab-machine.ts';
import type { ExecOptions } from '../machine.ts';
import { type Outcome, sleep } from '../process.ts';

/** The containers, all unless SLICECTL_LAB names some. */
export const CONTAINERS = catalogue
  .filter(
    ({ kind, flavour, name }) => kind === 'container' && flavour === undefined && (chosen?.includes(name) ?? true),
  )
  .map(({ name, systemd }) => ({ name, systemd }));

/** What of a receipt these tests look at. */
export interface ReceiptLike {
  readonly unit: string | null;
  readonly cgroup: string;
  readonly status: number;
  readonly cause: string;
  readonly exit: { readonly code: number | null; readonly signal: string | null };
  readonly cpu: { readonly usageUsec: number };
  readonly limits: readonly { readonly name: string; readonly inForce: string | null }[];
  readonly leftRunning: number;
  readonly notes: readonly string[];
}

/** One container for the tests of one file, so that no other file's jobs are in the way. */
export class Lab extends LabMachine {
  protected override readonly patience = { looks: 600, everyMs: 100 };

  static async open(name: string, suffix: string): Promise<Lab> {
    return new Lab(await LabMachine.make(name, suffix));
  }

  run(argv: readonly string[], options: ExecOptions = {}): Promise<Outcome> {
    return this.slicectl(['run', ...argv], options);
  }

  /** The same with a real pipe for stdout: Node's own are sockets, which systemd cannot open by their names. */
  piped(argv: readonly string[], options: ExecOptions = {}): Promise<Outcome> {
    const script = `d=$(mktemp -d); chmod 755 $d
      { slicectl run "$@" 2>$d/err; echo $? >$d/status; } | cat
      cat $d/err >&2; exit $(cat $d/status)`;
    return this.exec(['sh', '-c', script, 'sh', ...argv], options);
  }

  /** Runs a job and gives its receipt with its outcome. */
  async receipt(argv: readonly string[], options: ExecOptions = {}): Promise<Outcome & { receipt: ReceiptLike }> {
    const outcome = await this.piped(['--receipt', 'json', ...argv], options);
    return { ...outcome, receipt: lastReceipt(outcome.stderr) };
  }

  /**
   * What slicectl left: units and groups with its names, failed units, the named ones. Slices go a moment after the
   * job, so an answer that is not empty is asked for again for some time.
   */
  async leftovers(...units: readonly string[]): Promise<string> {
    const names = [`'slicectl*'`, `'*slicectl_*'`, ...units].join(' ');
    const list = `systemctl list-units --all --plain --no-legend ${names}`;
    const script = `${list}; systemctl --failed --plain --no-legend; find /sys/fs/cgroup -name '*slicectl_*'`;
    const asAlice = `su --login alice -c "XDG_RUNTIME_DIR=/run/user/1000 ${list.replace('systemctl', 'systemctl --user')}"`;
    let last = '';
    for (let left = 200; left > 0; left -= 1) {
      last = (await this.sh(`${script}; ${asAlice}`)).stdout.trim();
      if (last === '') return '';
      await sleep(200);
    }
    return last;
  }
}

/** The receipt is the last line of stderr that is a JSON object. */
export function lastReceipt(stderr: string): ReceiptLike {
  const line = stderr.split('\n').findLast((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`no receipt in ${JSON.stringify(stderr)}`);
  return JSON.parse(line) as ReceiptLike;
}
