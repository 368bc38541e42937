import { spawn } from 'node:child_process';
import { adapterOf } from './adapters.ts';
import type { MachineSpec } from './catalogue.ts';
import { quote, shellStatus } from './process.ts';
import { readRecord } from './record.ts';

/** As whom, where and with which variables a command runs in a machine. */
export interface Place {
  /** root unless told; alice (uid 1000, lingering) and bob (uid 1001) exist. */
  readonly user?: string;
  /** The user's home unless told. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The command on this host that runs `argv`, unchanged, in the machine. */
export function hostCommand(spec: MachineSpec, argv: readonly string[], place: Place = {}): string[] {
  const record = readRecord(spec.name);
  if (record === undefined) throw new Error(`lab: ${spec.name} is not up`);
  const { user = 'root', env = {}, cwd } = place;
  const script = [
    ...(cwd === undefined ? [] : [`cd -- ${quote(cwd)} || exit 126`]),
    ...Object.entries(env).map(([key, value]) => `export ${key}=${quote(value)}`),
    'exec "$@"',
  ];
  return adapterOf(spec).enter(record, user, script.join('\n'), argv);
}

/** Joins two programs by a pipe; rejects unless both end well. */
export async function pipe(send: readonly string[], receive: readonly string[]): Promise<void> {
  const [sendFile = '', ...sendRest] = send;
  const [receiveFile = '', ...receiveRest] = receive;
  const reader = spawn(receiveFile, receiveRest, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
  const writer = spawn(sendFile, sendRest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  reader.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  // A reader that ends early shows it by its status.
  reader.stdin.on('error', () => {});
  writer.stdout.pipe(reader.stdin);
  const codes = await Promise.all(
    [writer, reader].map(
      (child) =>
        new Promise<number>((resolve, reject) => {
          child.once('error', reject);
          child.once('close', (...end) => resolve(shellStatus(...end)));
        }),
    ),
  );
  if (codes.some((code) => code !== 0)) throw new Error(`lab: copying failed (${codes.join(', ')}): ${said}`);
}
