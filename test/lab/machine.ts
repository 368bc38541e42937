import { spawn } from 'node:child_process';
import { adapterOf } from './adapters.ts';
import { type Kind, type MachineSpec, specOf } from './catalogue.ts';
import { bringUp, takeDown } from './lifecycle.ts';
import { payloadArchive, transfer, unpackPayload } from './payload.ts';
import { capture, type Outcome, quote, shellStatus } from './process.ts';
import { type MachineRecord, readRecord, thisRun } from './record.ts';

export interface ExecOptions {
  /** root unless told; alice (uid 1000, lingering) and bob (uid 1001) exist. */
  readonly user?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The user's home unless told. */
  readonly cwd?: string;
  /** Then the command is ended and the promise rejects. Two minutes in a container, five in an emulated machine. */
  readonly timeoutMs?: number;
}

export interface Machine {
  readonly name: string;
  readonly kind: Kind;
  /** Milliseconds that its boot took. */
  readonly bootMs: number;
  /** Runs a command in a login session of the user, with its arguments as they are. 128+N is a death by signal N. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<Outcome>;
  /** Copies a file or a folder; parents are made, the mode is kept, the owner is root. */
  push(localPath: string, remotePath: string): Promise<void>;
  /** Copies the built program to /opt/slicectl again; nothing to do in a container, which sees the checkout. */
  sync(): Promise<void>;
  /** Stops it now, whoever else uses it. */
  down(): Promise<void>;
}

/** The machine of this name, running: shared with whoever runs it, started otherwise. Ends with this test run. */
export async function machine(name: string): Promise<Machine> {
  const spec = specOf(name);
  const { record, isNew } = await bringUp(spec, { user: thisRun(), ttlSeconds: 7200, say: () => {} });
  const handle = machineOf(spec, record);
  if (isNew) await handle.sync();
  return handle;
}

export function machineOf(spec: MachineSpec, { bootMs = 0 }: MachineRecord): Machine {
  const { name, kind } = spec;
  const timeoutMs = kind === 'container' ? 120_000 : 300_000;
  return {
    name,
    kind,
    bootMs,
    exec: (argv, { input, timeoutMs: limit, ...place } = {}) =>
      capture(hostCommand(spec, argv, place), {
        timeoutMs: limit ?? timeoutMs,
        ...(input === undefined ? {} : { input }),
      }),
    push: (localPath, remotePath) => {
      const { send, receive, argv } = transfer(localPath, remotePath);
      return stream(send, hostCommand(spec, ['sh', '-c', receive, 'push', ...argv]));
    },
    sync: async () => {
      if (kind === 'emulated') await stream(payloadArchive(), hostCommand(spec, ['sh', '-c', unpackPayload]));
    },
    down: () => takeDown(name),
  };
}

/** The command on this host that runs `argv` in the machine. */
export function hostCommand(
  spec: MachineSpec,
  argv: readonly string[],
  { user = 'root', env = {}, cwd }: Pick<ExecOptions, 'user' | 'env' | 'cwd'> = {},
): string[] {
  const record = readRecord(spec.name);
  if (record === undefined) throw new Error(`lab: ${spec.name} is not up`);
  const script = [
    ...(cwd === undefined ? [] : [`cd -- ${quote(cwd)} || exit 126`]),
    ...Object.entries(env).map(([key, value]) => `export ${key}=${quote(value)}`),
    'exec "$@"',
  ];
  return adapterOf(spec).enter(record, user, script.join('\n'), argv);
}

/** Joins two programs by a pipe; rejects unless both end well. */
async function stream(send: readonly string[], receive: readonly string[]): Promise<void> {
  const [from, to] = [send, receive].map(([file = '', ...rest]) => ({ file, rest })) as [Program, Program];
  const reader = spawn(to.file, to.rest, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
  const writer = spawn(from.file, from.rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  reader.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  reader.stdin.on('error', () => {});
  writer.stdout.pipe(reader.stdin);
  for (const child of [writer, reader]) {
    child.once('error', () => reader.kill());
  }
  const codes = await Promise.all(
    [writer, reader].map(
      (child) => new Promise<number>((resolve) => child.once('close', (...end) => resolve(shellStatus(...end)))),
    ),
  );
  if (codes.some((code) => code !== 0)) throw new Error(`lab: copying failed (${codes.join(', ')}): ${said}`);
}

interface Program {
  readonly file: string;
  readonly rest: string[];
}

export { downAll } from './lifecycle.ts';
