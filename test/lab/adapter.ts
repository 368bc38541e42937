import type { MachineSpec } from './catalogue.ts';
import type { MachineRecord } from './record.ts';

/** What a kind of machine must know how to do; the keeper and `machine()` do the rest for both. */
export interface Adapter {
  readonly bootTimeoutMs: number;

  /** Prepares what this boot needs and says what to run for it; `output` of that process is kept in its log. */
  start(
    spec: MachineSpec,
    image: string,
  ): Promise<{
    readonly argv: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly groups?: readonly string[];
    readonly port?: number;
  }>;

  /** Resolves when the machine can be asked for something, or when the signal comes. */
  awake(record: MachineRecord, signal: AbortSignal): Promise<void>;

  /** Connections that the keeper holds open while the machine runs; each is there when its socket is. */
  connections(record: MachineRecord): { readonly argv: readonly string[]; readonly socket: string }[];

  /** Ends the machine at once, nothing in it is worth saving; its host process ends by that. */
  stop(record: MachineRecord): void;

  /** Removes what a machine that has ended left on this host. May be done twice. */
  clean(record: MachineRecord): Promise<void>;

  /** The command on this host that runs a script as root without a login, which a broken boot may not offer; undefined when the machine has ended. */
  ask(record: MachineRecord, script: string): string[] | undefined;

  /** The command on this host that logs `user` in and runs a POSIX shell script there with these arguments. */
  enter(record: MachineRecord, user: string, script: string, argv: readonly string[]): string[];
}
