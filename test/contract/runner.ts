import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type BackendKind, Launcher } from '../../src/index.ts';
import { groundOf, lacking } from './ground.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { endings } from './scenarios/endings.ts';
import { limits } from './scenarios/limits.ts';

/** Runs the contract suite on the machine it is started on: one JSON line a scenario on stdout. */
const { values } = parseArgs({ options: { backend: { type: 'string' }, only: { type: 'string' } } });

const DEADLINE_MS = 120_000;

async function runOne(scenario: Scenario, launcher: Launcher): Promise<Outcome> {
  const { name } = scenario;
  const reason = lacking(scenario, launcher);
  if (reason) return { name, state: 'skipped', reason };
  mkdirSync('/tmp', { recursive: true });
  const folder = mkdtempSync('/tmp/slicectl-contract-');
  const ground = groundOf(launcher, folder);
  try {
    await Promise.race([
      scenario.run(ground),
      new Promise((_, reject) => {
        setTimeout(() => reject(new Error(`did not end within ${DEADLINE_MS / 1000} s`)), DEADLINE_MS).unref();
      }),
    ]);
    return { name, state: 'passed' };
  } catch (error) {
    endDescendants(process.pid);
    return { name, state: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    await ground.restore();
    rmSync(folder, { recursive: true });
  }
}

/** A job that a failed scenario left would hold our standard output open, and whoever reads it would wait for its end. */
function endDescendants(parent: number): void {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').filter(Boolean);
  for (const pid of children.map(Number)) {
    try {
      endDescendants(pid);
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

const launcher = await Launcher.open(values.backend ? { backend: values.backend as BackendKind } : {});
for (const scenario of [...endings, ...limits].filter(({ name }) => name.includes(values.only ?? ''))) {
  process.stdout.write(`${JSON.stringify(await runOne(scenario, launcher))}\n`);
}
launcher.close();
// What a failed scenario still waits for must not keep the others' outcomes back.
process.exit();
