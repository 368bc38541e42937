import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { catalogue, specOf } from './catalogue.ts';
import { hostCommand, type Place } from './command.ts';
import { imageFolder } from './image.ts';
import { bringUp, takeDown } from './lifecycle.ts';
import { sync } from './payload.ts';
import { shellStatus } from './process.ts';
import { isUp, liveUsers, readRecord, recordedNames } from './record.ts';

const usage = `usage: npm run lab -- COMMAND
  up NAME… [--ttl SECONDS]                          start machines, two hours long unless told
  exec NAME [--user USER] [--cwd DIR] -- COMMAND…   run a command in one, as root unless told
  sync NAME…                                        copy the built program into emulated machines again
  down [NAME…]                                      stop machines, all without a name
  list                                              what there is and in which state
NAME.SUFFIX is one more machine like NAME.`;

const say = (line: string): void => console.error(`lab: ${line}`);

async function up(names: readonly string[], ttl = '7200'): Promise<void> {
  for (const spec of names.map(specOf)) await bringUp(spec, { user: 'hand', ttlSeconds: Number(ttl), say });
}

function exec(name: string, argv: readonly string[], place: Place): Promise<number> {
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

const allNames = (): string[] => [...new Set([...catalogue.map((spec) => spec.name), ...recordedNames()])];

function list(): void {
  for (const spec of allNames().map(specOf)) {
    const image = existsSync(imageFolder(spec)) ? 'built' : 'not built';
    const what = `${spec.kind} ${spec.suite}, ${image}`;
    console.log([spec.name.padEnd(12), what.padEnd(30), state(readRecord(spec.name))].join(' '));
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
  else if (command === 'sync' && names.length > 0) for (const name of names) await sync(specOf(name));
  else if (command === 'down') for (const name of names.length > 0 ? names : allNames()) await takeDown(name);
  else if (command === 'list') list();
  else {
    console.error(usage);
    return 2;
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
