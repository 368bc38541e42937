import { fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { adapterOf } from './adapters.ts';
import { type MachineSpec, specOf } from './catalogue.ts';
import { ensureImage } from './image.ts';
import { withLock } from './lock.ts';
import { labFolder, lockFile, machineFolder, repository } from './paths.ts';
import { sync } from './payload.ts';
import { signalProcess, untilGone } from './process.ts';
import { addUser, isUp, liveUsers, type MachineRecord, readRecord, removeUser, type User } from './record.ts';
import { ensureWarm } from './warm.ts';

export interface UpOptions {
  readonly user: User;
  readonly ttlSeconds: number;
  readonly say: (line: string) => void;
}

/** Starts the machine unless it runs, and notes who uses it. */
export async function bringUp(spec: MachineSpec, options: UpOptions): Promise<MachineRecord> {
  const { name } = spec;
  const running = () => {
    const record = readRecord(name);
    if (!isUp(record)) return undefined;
    addUser(name, options.user);
    return record;
  };
  return withLock(lockFile(name), async () => {
    const shared = running();
    if (shared !== undefined) return shared;
    const image = await ensureImage(spec, options.say);
    if (spec.kind === 'emulated') await ensureWarm(spec, image, options.say);
    await clear(spec);
    addUser(name, options.user);
    options.say(`starting ${name}`);
    await startKeeper(name, image, options.ttlSeconds);
    const record = readRecord(name);
    if (!isUp(record)) throw new Error(`lab: ${name} ended as soon as it was up`);
    await sync(spec);
    options.say(`${name} is up (after ${(record.bootMs / 1000).toFixed(1)} s)`);
    return record;
  });
}

/** Stops the machine, whoever uses it, and makes sure that nothing of it is left. */
export async function takeDown(name: string): Promise<void> {
  await withLock(lockFile(name), () => clear(specOf(name)));
}

/** Stops the machine unless somebody else uses it. */
export async function leave(name: string, user: User): Promise<void> {
  await withLock(lockFile(name), async () => {
    removeUser(name, user);
    if (liveUsers(name).length === 0) await clear(specOf(name));
  });
}

/** Ends a machine that runs; removes what one that crashed has left. */
async function clear(spec: MachineSpec): Promise<void> {
  const record = readRecord(spec.name);
  const adapter = adapterOf(spec);
  if (record !== undefined) {
    signalProcess(record.keeper, 'SIGTERM');
    if (!(await untilGone(record.keeper, 60_000))) throw new Error(`lab: the keeper of ${spec.name} does not end`);
    // A keeper that was killed has not done this.
    adapter.stop(record);
    if (record.host && !(await untilGone(record.host, 60_000))) throw new Error(`lab: ${spec.name} does not end`);
    await adapter.clean(record);
  }
  rmSync(machineFolder(spec.name), { recursive: true, force: true });
}

/** Resolves when the machine is up; the keeper then lives on without us. */
async function startKeeper(name: string, image: string, ttlSeconds: number): Promise<void> {
  mkdirSync(machineFolder(name), { recursive: true, mode: 0o700 });
  const logFile = join(machineFolder(name), 'keeper.log');
  const log = openSync(logFile, 'a');
  const keeper = fork(join(labFolder, 'keeper.ts'), [name, image, String(ttlSeconds)], {
    cwd: repository,
    detached: true,
    execArgv: ['--import', 'tsx'],
    env: withoutTestRunner(),
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const failed = await new Promise<string | undefined>((resolve) => {
    keeper.once('message', (message: { failed?: string }) => resolve(message.failed));
    keeper.once('error', (error) => resolve(error.message));
    keeper.once('close', (code) => resolve(`lab: the keeper of ${name} ended with ${code}, see ${logFile}`));
  });
  if (failed !== undefined) throw new Error(failed);
  keeper.disconnect();
  keeper.unref();
}

/** A test runner's variables must not reach a process that outlives it. */
const withoutTestRunner = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(VITEST|NODE_OPTIONS|NODE_V8_COVERAGE)/.test(key)),
  );
