import { type ExecOptions, type Machine, machine } from './machine.ts';
import { type Outcome, sleep } from './process.ts';

/** A machine of the lab for the tests of one file, so that nothing of another file is in the way. */
export class LabMachine {
  readonly #machine: Machine;
  /** How often {@link until} looks again, and after how long. */
  protected readonly patience: { readonly looks: number; readonly everyMs: number } = { looks: 450, everyMs: 200 };

  protected constructor(own: Machine) {
    this.#machine = own;
  }

  /** The machine `NAME.SUFFIX`, running. */
  protected static make(name: string, suffix: string): Promise<Machine> {
    return machine(`${name}.${suffix}`);
  }

  protected exec(argv: readonly string[], options: ExecOptions = {}): Promise<Outcome> {
    return this.#machine.exec(argv, options);
  }

  sh(script: string, options: ExecOptions = {}): Promise<Outcome> {
    return this.exec(['sh', '-c', script], options);
  }

  /** Runs a script that must end with 0, and gives what it printed. */
  async out(script: string, options: ExecOptions = {}): Promise<string> {
    const ended = await this.sh(script, options);
    if (ended.code !== 0) throw new Error(`status ${ended.code} of ${script}\n${spoken(ended)}`);
    return ended.stdout.trim();
  }

  slicectl(argv: readonly string[], options: ExecOptions = {}): Promise<Outcome> {
    return this.exec(['slicectl', ...argv], options);
  }

  /** slicectl that must end with 0. */
  async done(...argv: string[]): Promise<Outcome> {
    const ended = await this.slicectl(argv);
    if (ended.code !== 0) throw new Error(`status ${ended.code} of slicectl ${argv.join(' ')}\n${spoken(ended)}`);
    return ended;
  }

  push(localPath: string, remotePath: string): Promise<void> {
    return this.#machine.push(localPath, remotePath);
  }

  async write(path: string, text: string): Promise<void> {
    await this.out(`mkdir -p "$(dirname '${path}')"; cat >'${path}'`, { input: text });
  }

  /** `KEY=VALUE` that systemctl shows of a unit. */
  async show(unit: string, ...properties: string[]): Promise<Record<string, string>> {
    const text = await this.out(`systemctl show ${unit} ${properties.map((name) => `-p ${name}`).join(' ')}`);
    return Object.fromEntries(
      text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  /** Waits until a script succeeds: for what systemd, a daemon or the kernel does in its own time. */
  async until(script: string, options: ExecOptions = {}): Promise<void> {
    for (let left = this.patience.looks; left > 0; left -= 1) {
      if ((await this.sh(script, options)).code === 0) return;
      await sleep(this.patience.everyMs);
    }
    throw new Error(`still not so: ${script}\n${spoken(await this.sh(script, options))}`);
  }

  /** An emulated machine takes about a minute and a half to boot. */
  reboot(): Promise<void> {
    return this.#machine.reboot();
  }

  /** To be called when a file is through: a host's kernel gives out no more than some dozens of machines. */
  down(): Promise<void> {
    return this.#machine.down();
  }
}

export const spoken = ({ stdout, stderr }: Outcome): string => `${stdout}${stderr}`;
