import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { catalogue, specOf } from './catalogue.ts';
import { imageFolder } from './image.ts';
import { bringUp, takeDown } from './lifecycle.ts';
import { hostCommand, machineOf } from './machine.ts';
import { shellStatus } from './process.ts';
import { isUp, liveUsers, readRecord } from './record.ts';

const usage = `usage: npm run lab -- COMMAND
  up NAME… [--ttl SECONDS]                          start machines, two hours long unless told
  exec NAME [--user USER] [--cwd DIR] -- COMMAND…   run a command in one, as root unless told
  sync NAME…                                        copy the built program into emulated machines again
  down [NAME…]                                      stop machines, all without a name
  list                                              what there is and in which state`;

const say = (line: string): void => console.error(`lab: ${line}`);

async function up(names: readonly string[], ttl = '7200'): Promise<void> {
  for (const spec of names.map(specOf)) {
    const { record, isNew } = await bringUp(spec, { user: 'hand', ttlSeconds: Number(ttl), say });
    if (isNew) await machineOf(spec, record).sync();
    say(`${spec.name} is up${isNew ? ` (boot ${seconds(record.bootMs)})` : ' already'}`);
  }
}

function exec(name: string, argv: readonly string[], place: { user?: string; cwd?: string }): Promise<number> {
  const [file = '', ...rest] = hostCommand(specOf(name), argv, place);
  const child = spawn(file, rest, { stdio: 'inherit' });
  // The terminal signals the whole group; the command's status says what came of it.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...end) => resolve(shellStatus(...end)));
  });
}

function list(): void {
  for (const spec of catalogue) {
    const record = readRecord(spec.name);
    const image = existsSync(imageFolder(spec)) ? 'built' : 'not built';
    console.log(
      [spec.name.padEnd(12), spec.kind.padEnd(10), `${spec.suite}, ${image}`.padEnd(22), state(record)].join(' '),
    );
  }
}

function state(record: ReturnType<typeof readRecord>): string {
  if (record === undefined) return 'down';
  if (!isUp(record))
    return record.bootMs === undefined
      ? 'starting, or broken off: down NAME clears it'
      : 'crashed: down NAME clears it';
  const left = Math.max(0, Math.round(record.deadline - Date.now() / 1000));
  return `up, booted in ${seconds(record.bootMs)}, ${left} s left, users: ${liveUsers(record.name).join(' ')}`;
}

const seconds = (ms = 0): string => `${(ms / 1000).toFixed(1)} s`;

async function main(argv: readonly string[]): Promise<number> {
  const separator = argv.indexOf('--');
  const own = separator === -1 ? argv : argv.slice(0, separator);
  const { positionals, values } = parseArgs({
    args: [...own],
    allowPositionals: true,
    options: { ttl: { type: 'string' }, user: { type: 'string' }, cwd: { type: 'string' } },
  });
  const [command, ...names] = positionals;
  const { ttl, ...place } = values;
  if (command === 'up' && names.length > 0) await up(names, ttl);
  else if (command === 'exec' && names[0] !== undefined && separator !== -1)
    return exec(names[0], argv.slice(separator + 1), place);
  else if (command === 'sync' && names.length > 0)
    for (const spec of names.map(specOf)) await machineOf(spec, recordOf(spec.name)).sync();
  else if (command === 'down')
    for (const name of names.length > 0 ? names : catalogue.map((spec) => spec.name)) await takeDown(specOf(name).name);
  else if (command === 'list') list();
  else {
    console.error(usage);
    return 2;
  }
  return 0;
}

function recordOf(name: string): NonNullable<ReturnType<typeof readRecord>> {
  const record = readRecord(name);
  if (record === undefined) throw new Error(`lab: ${name} is not up`);
  return record;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
