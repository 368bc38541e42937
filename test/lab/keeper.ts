/**
 * The process that starts one machine, watches it, and ends with it, leaving nothing behind. It outlives its caller:
 * the machine stops at its deadline, when no user of it lives, at SIGTERM, or when it ends by itself.
 * Arguments: name, image, seconds to live. Tells its parent {ready} or {failed} once, over IPC.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { adapterOf } from './adapters.ts';
import { specOf } from './catalogue.ts';
import { withLock } from './lock.ts';
import { lockFile, machineFolder } from './paths.ts';
import { identify, isAlive, sleep } from './process.ts';
import { liveUsers, type MachineRecord, writeRecord } from './record.ts';
import { untilSettled } from './settled.ts';
import { whyNot } from './why.ts';

const [name = '', image = '', seconds = ''] = process.argv.slice(2);
const spec = specOf(name);
const adapter = adapterOf(spec);
const abort = new AbortController();
const aborted = new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve()));
const started = Date.now();
const deadline = started + Number(seconds) * 1000;
const connections = new Set<ChildProcess>();
let record: MachineRecord = { name, keeper: self(), groups: [], image, deadline: Math.round(deadline / 1000) };
let ended = Promise.resolve();
let stopping: Promise<void> | undefined;

process.on('SIGTERM', () => abort.abort());
process.on('SIGINT', () => abort.abort());
process.on('SIGHUP', () => {});
process.on('disconnect', () => {});

try {
  await boot();
  tell({ ready: true });
  await untilUnwanted();
  await finish();
} catch (error) {
  await finish();
  tell({ failed: error instanceof Error ? error.message : String(error) });
}
process.exit(0);

async function boot(): Promise<void> {
  writeRecord(record);
  const { argv, env, groups = [], port } = await adapter.start(spec, image);
  record = { ...record, groups, ...(port === undefined ? {} : { port }) };
  writeRecord(record);
  const [file = '', ...rest] = argv;
  const child = spawn(file, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = log(child);
  ended = new Promise((resolve) => child.once('close', () => resolve()));
  child.once('error', () => abort.abort());
  void ended.then(() => abort.abort());
  const host = child.pid === undefined ? undefined : identify(child.pid);
  if (host !== undefined) record = { ...record, host };
  writeRecord(record);
  const timer = setTimeout(() => abort.abort(), adapter.bootTimeoutMs);
  await Promise.all(adapter.connections(record).map(hold));
  await adapter.awake(record, abort.signal);
  if (!(await untilSettled(adapter, record, abort.signal))) {
    const why = await whyNot(adapter, record);
    throw new Error(`lab: ${name} did not boot\n${output().slice(-3000)}\n${why}`);
  }
  clearTimeout(timer);
  record = { ...record, bootMs: Date.now() - started };
  writeRecord(record);
}

/** Keeps the machine's output in `console.log` and the first of it in memory. */
function log(child: ChildProcess): () => string {
  const file = createWriteStream(join(machineFolder(name), 'console.log'));
  let head = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      file.write(chunk);
      if (head.length < 1_000_000) head += chunk.toString('latin1');
    });
  }
  return () => head;
}

/** Holds a connection open, and makes it again when it ends: a machine may reboot. */
async function hold(connection: ReturnType<typeof adapter.connections>[number]): Promise<void> {
  const [file = '', ...rest] = connection.argv;
  const child = spawn(file, rest, { stdio: 'ignore' });
  connections.add(child);
  child.once('close', () => {
    connections.delete(child);
    if (!stopping) setTimeout(() => stopping || void hold(connection), 1000);
  });
  while (!existsSync(connection.socket) && child.exitCode === null && !abort.signal.aborted) await sleep(50);
}

async function untilUnwanted(): Promise<void> {
  while (!abort.signal.aborted) {
    if (Date.now() > deadline) return;
    // The lock keeps a new user from arriving between the second look and the end. Who ends us by a signal holds it.
    if (liveUsers(name).length === 0)
      await Promise.race([
        withLock(lockFile(name), async () => liveUsers(name).length === 0 && (await finish())),
        aborted,
      ]);
    await Promise.race([sleep(1000), aborted]);
  }
}

function finish(): Promise<void> {
  stopping ??= end();
  return stopping;
}

async function end(): Promise<void> {
  abort.abort();
  for (const connection of connections) connection.kill('SIGTERM');
  adapter.stop(record);
  await ended;
  if (record.host !== undefined) while (isAlive(record.host)) await sleep(20);
  await adapter.clean(record);
  rmSync(machineFolder(name), { recursive: true, force: true });
}

function tell(message: object): void {
  if (process.connected) process.send?.(message);
}

function self() {
  const id = identify(process.pid);
  if (id === undefined) throw new Error('lab: no /proc');
  return id;
}
