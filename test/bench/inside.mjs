// Runs inside the machine: times slicectl against systemd-run, in turns, and prints one JSON line.
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Launcher } from '/opt/slicectl/dist/index.js';

const ROUNDS = 25;
const JOBS = 1000;
const BATCH = 100;
const AT_ONCE = 8;

const commands = {
  'node -e 0': ['node', '-e', '0'],
  'systemd-run --scope true': ['systemd-run', '--scope', '--quiet', 'true'],
  'slicectl run -- true': ['slicectl', 'run', '--receipt', 'none', '--', 'true'],
};
const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, [program, ...args]] of Object.entries(commands)) {
    const start = performance.now();
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    times[name].push(performance.now() - start);
    if (status !== 0) throw new Error(`${name}: ${stderr}`);
  }
}
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const oneShot = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));

/** Runs `job` BATCH times, AT_ONCE at a time; milliseconds for all. */
async function batch(job) {
  const start = performance.now();
  let next = 0;
  const worker = async () => {
    while (next++ < BATCH) await job();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return performance.now() - start;
}

const run = promisify(execFile);
const launcher = await Launcher.open();
const stdio = ['ignore', 'ignore', 'ignore'];
let loop = 0;
let library = 0;
for (let done = 0; done < JOBS; done += BATCH) {
  loop += await batch(() => run('systemd-run', ['--scope', '--quiet', 'true']));
  library += await batch(async () => {
    const { status } = await (await launcher.launch('true', [], { stdio })).result;
    if (status !== 0) throw new Error(`a job ended with ${status}`);
  });
}
launcher.close();
process.stdout.write(`${JSON.stringify({ oneShot, jobs: JOBS, atOnce: AT_ONCE, loop, library })}\n`);
