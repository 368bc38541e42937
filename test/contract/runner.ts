import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
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
    return { name, state: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    await ground.restore();
    rmSync(folder, { recursive: true });
  }
}

const launcher = await Launcher.open(values.backend ? { backend: values.backend as BackendKind } : {});
for (const scenario of [...endings, ...limits].filter(({ name }) => name.includes(values.only ?? ''))) {
  process.stdout.write(`${JSON.stringify(await runOne(scenario, launcher))}\n`);
}
launcher.close();
