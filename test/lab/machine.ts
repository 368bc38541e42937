import { type Kind, type MachineSpec, specOf } from './catalogue.ts';
import { hostCommand, type Place } from './command.ts';
import { lastWords } from './last-words.ts';
import { bringUp, leave, takeDown } from './lifecycle.ts';
import { push, sync } from './payload.ts';
import { capture, type Outcome } from './process.ts';
import { reboot } from './reboot.ts';
import { type MachineRecord, thisFile } from './record.ts';

export interface ExecOptions extends Place {
  readonly input?: string;
  /** Then the command is ended and the promise rejects. Two minutes in a container, ten in an emulated machine. */
  readonly timeoutMs?: number;
}

export interface Machine {
  readonly name: string;
  readonly kind: Kind;
  /** Milliseconds from its start until it was ready. */
  readonly bootMs: number;
  /** Runs a command in a login session of the user, with its arguments as they are. 128+N is a death by signal N. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<Outcome>;
  /** Copies a file or a folder; parents are made, modes kept, the owner is root. */
  push(localPath: string, remotePath: string): Promise<void>;
  /** Copies the built program to /opt/slicectl again; nothing to do in a container, which sees the checkout. */
  sync(): Promise<void>;
  /** Boots it anew with what is on its disks, and waits until it is ready. */
  reboot(): Promise<void>;
  /** Says that this file is through with it: it stops unless another run uses it. Otherwise that comes with the file's end. */
  leave(): Promise<void>;
  /** Stops it now, whoever else uses it. */
  down(): Promise<void>;
}

/**
 * The machine of this name, running: shared with whoever runs it, started otherwise. It stops when the last test file
 * that uses it has ended. `NAME.SUFFIX` is one more machine like NAME, for a test that needs one to itself.
 */
export async function machine(name: string): Promise<Machine> {
  const spec = specOf(name);
  return machineOf(spec, await bringUp(spec, { user: thisFile(), ttlSeconds: 7200, say: () => {} }));
}

function machineOf(spec: MachineSpec, { bootMs = 0 }: MachineRecord): Machine {
  const { name, kind } = spec;
  const patience = kind === 'container' ? 120_000 : 600_000;
  return {
    name,
    kind,
    bootMs,
    exec: (argv, { input = '', timeoutMs = patience, ...place } = {}) =>
      capture(hostCommand(spec, argv, place), { timeoutMs, input, label: `${name}: ${argv.join(' ')}` }).catch(
        (error: Error) => {
          throw new Error(`${error.message}${lastWords(name)}`, { cause: error });
        },
      ),
    push: (localPath, remotePath) => push(spec, localPath, remotePath),
    sync: () => sync(spec),
    reboot: () => reboot(spec),
    leave: () => leave(name, thisFile()),
    down: () => takeDown(name),
  };
}
