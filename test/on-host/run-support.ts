import { execFileSync, type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { afterAll } from 'vitest';
import { openBackend } from '../../src/backend/choose.ts';
import { HOST } from '../../src/host/paths.ts';
import { readSelf } from '../../src/host/self.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 25;

/** Why jobs cannot be started here; undefined when they can. */
export const NO_JOBS = await whyNot();

async function whyNot(): Promise<string | undefined> {
  try {
    const self = readSelf();
    (await openBackend({ wanted: 'auto', manager: self.uid === 0 ? 'system' : 'user', paths: HOST, self })).close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The program as it is in src/ now, below node_modules so that it finds its packages. */
export const MAIN = buildMain();

function buildMain(): string {
  const outdir = join(ROOT, 'node_modules/.cache/slicectl-test', `${process.pid}`);
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));
  buildSync({
    entryPoints: [join(ROOT, 'src/cli/main.ts')],
    outdir,
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outExtension: { '.js': '.mjs' },
  });
  return join(outdir, 'main.mjs');
}

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly pid: number;
}

/** Runs slicectl to its end. */
export function slicectl(args: readonly string[], options: SpawnSyncOptions = {}): Outcome {
  return outcome(process.execPath, [MAIN, ...args], options);
}

/** Runs a script of bash, in which `$SLICECTL` stands for the program. */
export function bash(script: string, options: SpawnSyncOptions = {}): Outcome {
  const env = { ...process.env, SLICECTL: `${process.execPath} ${MAIN}`, ...options.env };
  return outcome('bash', ['-c', script], { ...options, env });
}

function outcome(file: string, args: readonly string[], options: SpawnSyncOptions): Outcome {
  const { status, signal, stdout, stderr, pid, error } = spawnSync(file, args, { timeout: PATIENCE_MS, ...options });
  if (error) throw error;
  return { status, signal, stdout: `${stdout ?? ''}`, stderr: `${stderr ?? ''}`, pid };
}

/** Every folder of every cgroup hierarchy that a slicectl of this pid made. */
export function groupsOf(pid: number): string[] {
  return allGroups().filter((folder) => folder.includes(`slicectl_${pid.toString(36)}_`));
}

function allGroups(): string[] {
  return execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', '*slicectl_*'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).split('\n');
}

/** Waits until the probe answers something. */
export async function until<T>(what: string, probe: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    await pause(LOOK_EVERY_MS);
  }
  throw new Error(`waited in vain until ${what}`);
}

/** A folder of the test's own, removed at the end of its scope. */
export function scratch(): Disposable & { readonly path: string; file(name: string): string } {
  const path = mkdtempSync(join(tmpdir(), 'slicectl-test-'));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** The content of a file that may not be there yet. */
export function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return '';
    throw error;
  }
}
