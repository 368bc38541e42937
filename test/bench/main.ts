import { fileURLToPath } from 'node:url';
import { machine } from '../lab/machine.ts';

/** `npm run bench`: slicectl against systemd-run in one run, in a container at native speed; only the ratios mean anything. */
interface Measured {
  readonly oneShot: Readonly<Record<string, number>>;
  readonly jobs: number;
  readonly atOnce: number;
  readonly loop: number;
  readonly library: number;
}

const NAME = 'systemd-257';
const PROGRAM = '/tmp/bench.mjs';
const PEER = 'systemd-run --scope true';

const place = await machine(NAME);
await place.push(fileURLToPath(new URL('inside.mjs', import.meta.url)), PROGRAM);
const ended = await place.exec(['/usr/local/bin/node', PROGRAM], { timeoutMs: 600_000 });
if (ended.code !== 0) throw new Error(ended.stderr);
const { oneShot, jobs, atOnce, loop, library } = JSON.parse(ended.stdout) as Measured;

const peer = oneShot[PEER] ?? Number.NaN;
const row = (name: string, ms: number, of: number): string =>
  `${name.padEnd(46)} ${ms.toFixed(1).padStart(9)} ms  ${(ms / of).toFixed(2).padStart(6)}\n`;
const head = (text: string): string => `\n${text.padEnd(46)} ${'median'.padStart(12)}  ratio to systemd-run\n`;
process.stdout.write(`In ${NAME}, everything in turns in one run.\n${head('one command, the whole process')}`);
for (const [name, ms] of Object.entries(oneShot)) process.stdout.write(row(name, ms, peer));
process.stdout.write(head(`${jobs} jobs, ${atOnce} at a time, each`));
process.stdout.write(row('a loop of systemd-run --scope true', loop / jobs, loop / jobs));
process.stdout.write(row('Launcher.launch("true") with its receipt', library / jobs, loop / jobs));
