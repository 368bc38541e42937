import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Refusal } from '../../change/plan.ts';
import { applyEdits } from '../../core/config-text.ts';
import { RootTree } from '../../host/root-tree.ts';
import { parseToml } from '../formats/toml.ts';
import type { RuntimePlan } from '../model.ts';
import type { ContainerdFacts } from './facts.ts';
import { type LoadedConfig, loadConfig } from './load.ts';
import { dumpConfig } from './program.ts';
import { RUNC_TYPE, runtimeTables } from './runtime-tables.ts';

/**
 * Asks containerd itself what it makes of the files as they would be: `containerd config dump` of copies. Anything but the
 * drivers that are wanted is a refusal. Nothing where the program cannot be asked.
 */
export async function validateContainerd(facts: ContainerdFacts, plan: RuntimePlan): Promise<readonly Refusal[]> {
  if (facts.program === undefined || plan.files.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-containerd-'));
  try {
    return await compare(facts, plan, folder, facts.program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(
  { config, dialect, main }: ContainerdFacts,
  plan: RuntimePlan,
  folder: string,
  program: string,
): Promise<readonly Refusal[]> {
  const planned = new Map(
    plan.files.flatMap((step) =>
      step.kind === 'file' && step.after.exists ? [[step.path, step.after.bytes] as const] : [],
    ),
  );
  const originals = config.files.flatMap(({ path, state }) => (state.exists ? [[path, state.bytes] as const] : []));
  for (const [path, bytes] of new Map([...originals, ...planned])) write(join(folder, path), bytes);
  const after = loadConfig(new RootTree(folder), main.path, dialect);
  flatten(after, folder);
  const dump = await dumpConfig(program, join(folder, main.path));
  if (dump === undefined) return [];
  if (!dump.ok) {
    return [
      {
        reason: `containerd would not take its configuration as it would be: ${dump.message.replaceAll(folder, '')}`,
        hint: 'please report this with the file; nothing was changed',
      },
    ];
  }
  return runtimeTables(after, dialect)
    .filter(({ name, driver, type }) => type === RUNC_TYPE && dump.drivers.get(name) !== driver)
    .map(({ name, driver }) => ({
      reason: `"containerd config dump" gives the runtime ${name} ${dump.drivers.get(name) ?? 'no driver'} with the changed files, not ${driver}`,
      hint: 'please report this with the files; nothing was changed',
    }));
}

/**
 * Lets the copy of the main file import the other copies one by one, in the order in which containerd would read them, and
 * those import nothing: the same files, wherever their own patterns point.
 */
function flatten({ files }: LoadedConfig, folder: string): void {
  const [main, ...imported] = files;
  const paths = imported.map(({ path }) => JSON.stringify(join(folder, path)));
  for (const { path, text } of files) {
    const range = parseToml(text.text, path).get(['imports'])?.range;
    if (range === undefined) continue;
    const list = path === main?.path ? `[${paths.join(', ')}]` : '[]';
    const edit = { offset: range[0], length: range[1] - range[0], text: list };
    write(join(folder, path), Buffer.from(applyEdits(text.text, [edit])));
  }
}

function write(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, bytes, { mode: 0o600 });
}
