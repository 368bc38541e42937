import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Refusal } from '../../change/plan.ts';
import type { RuntimePlan } from '../model.ts';
import { readServiceCommand } from '../service/command.ts';
import { PlannedTree } from '../service/planned-tree.ts';
import type { DockerFacts } from './facts.ts';
import { readUnitFlags } from './flags.ts';

const DEADLINE_MS = 20_000;

/**
 * What `dockerd --validate` says of the files as they would be, with the options of the unit as they would be: it sees a
 * directive in both places only when it is given them. Needs Docker 23. It is blind to the driver's value, which
 * slicectl's own reading is for.
 */
export async function validateDocker(facts: DockerFacts, plan: RuntimePlan): Promise<readonly Refusal[]> {
  const { program, start, next, tree } = facts;
  if (program === undefined || !start.rules.validate || plan.files.length === 0) return [];
  const planned = new PlannedTree(tree, plan.files);
  const file = planned.read(next.file.path);
  const folder = mkdtempSync(join(tmpdir(), 'slicectl-'));
  try {
    const path = join(folder, 'daemon.json');
    writeFileSync(path, file?.bytes ?? '{}', { mode: 0o600 });
    const said = await run(program, ['--validate', '--config-file', path, ...unitOptions(facts, planned)]);
    if (said === undefined) return [];
    const reason = `dockerd --validate refuses the new configuration: ${sentence(said, path)}`;
    return [{ reason, hint: 'nothing was changed: mend this first' }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The words of the unit's command line, without the file that is replaced. */
function unitOptions({ start }: DockerFacts, planned: PlannedTree): readonly string[] {
  const { command } = start;
  if (command === undefined || command.wrapper) return [];
  const after = readServiceCommand(planned, command.unit, command.user === undefined ? {} : { user: command.user });
  if (after === undefined) return [];
  const left = readUnitFlags(after).filter(({ flag }) => flag !== 'config-file');
  const words = new Set(left.flatMap((use) => use.words));
  return after.words.filter((_, index) => words.has(index)).map(({ text }) => text);
}

/** Undefined when it is content, or cannot be asked. */
function run(program: string, args: readonly string[]): Promise<string | undefined> {
  // Without docker-proxy on its path it takes userland-proxy for a fault.
  const path = [
    '/usr/local/sbin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/bin',
    '/sbin',
    '/bin',
    '/usr/libexec/docker',
    dirname(program),
  ];
  const options = { timeout: DEADLINE_MS, env: { PATH: path.join(':'), LC_ALL: 'C' } };
  return new Promise((resolve) => {
    execFile(program, [...args], options, (error, _stdout, stderr) => {
      const isVerdict = error !== null && typeof error.code === 'number' && !error.killed;
      resolve(isVerdict && !/userland-proxy-path/.test(stderr) ? stderr : undefined);
    });
  });
}

/** The last line that says something, without the path of the copy and words around it. */
function sentence(text: string, copy: string): string {
  const last = text.split('\n').findLast((line) => line.trim() !== '') ?? 'no reason given';
  return last
    .replace(`unable to configure the Docker daemon with file ${copy}: `, '')
    .replace('merged configuration validation from file and command line flags failed: ', '')
    .replaceAll(copy, 'daemon.json')
    .trim();
}
