import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChangeResult } from '../../src/change/engine.ts';
import { resume, undo } from '../../src/change/undo.ts';
import { SlicectlError } from '../../src/core/errors.ts';
import { ModelHost } from './ground.ts';

/** What is to be found: all as before the change, or all as after it. */
interface Whole {
  readonly docker: string;
  readonly kubelet: string;
  readonly real: string;
  readonly made: string | undefined;
  readonly gone: string | undefined;
  readonly knobs: readonly string[];
  readonly etc: readonly string[];
}

const OLD: Whole = {
  docker: 'cgroupfs\n',
  kubelet: 'old\n',
  real: 'old real\n'.repeat(500),
  made: undefined,
  gone: 'goes away\n',
  knobs: ['all', 'all'],
  etc: ['docker.conf', 'gone.conf', 'kubelet.conf', 'link.conf'],
};

const NEW: Whole = {
  docker: 'systemd\n',
  kubelet: 'new\n',
  real: 'new real\n'.repeat(500),
  made: 'new\n',
  gone: undefined,
  knobs: ['few', 'few'],
  etc: ['docker.conf', 'kubelet.conf', 'link.conf', 'made', 'made/for', 'made/for/it.conf'],
};

let folder = '';
let victim = '';

beforeAll(() => {
  // In memory where possible: SIGKILL, unlike a power loss, does not ask whether fsync was done, which takes most of the time.
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'slicectl-kill-'));
  victim = join(folder, 'victim.mjs');
  buildSync({
    entryPoints: [join(import.meta.dirname, 'victim.ts')],
    outfile: victim,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly killed: boolean;
  readonly result?: ChangeResult;
  readonly code?: string;
  readonly message?: string;
  readonly calls?: number;
}

/** A process of its own that does one thing, and is killed at its nth call where that is given. */
function run(root: string, action: string, killAt = 0): Outcome {
  const { signal, stdout, stderr, status } = spawnSync(process.execPath, [victim, root, action, String(killAt)], {
    encoding: 'utf8',
  });
  if (signal === 'SIGKILL') return { killed: true };
  if (status !== 0) throw new Error(`${action} ended with ${status ?? signal}: ${stderr}`);
  return { killed: false, ...(JSON.parse(stdout) as object) };
}

function fresh(name: string): ModelHost {
  const host = new ModelHost(join(folder, name));
  mkdirSync(join(host.root, 'srv'));
  host.write('/srv/real.conf', OLD.real);
  symlinkSync('../srv/real.conf', join(host.root, 'etc/link.conf'));
  host.write('/etc/docker.conf', OLD.docker);
  host.write('/etc/gone.conf', OLD.gone ?? '');
  host.write('/etc/kubelet.conf', OLD.kubelet);
  host.start('docker');
  host.start('kubelet');
  return host;
}

/** A new slicectl finds what a killed one left: mostly in this process, which has no memory of it either, to save time. */
async function recover(host: ModelHost, way: 'undo' | 'resume', at: number): Promise<Outcome> {
  if (at % 10 === 0) return run(host.root, way);
  try {
    const context = new ModelHost(host.root).context();
    return { killed: false, result: await (way === 'undo' ? undo(undefined, context) : resume(undefined, context)) };
  } catch (error) {
    if (!(error instanceof SlicectlError)) throw error;
    return { killed: false, code: error.code, message: error.message };
  }
}

/** A copy of a host with its links as they are, to try both ways from one point. */
function copyOf(host: ModelHost, name: string): ModelHost {
  cpSync(host.root, join(folder, name), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return new ModelHost(join(folder, name));
}

function contents(host: ModelHost): Whole {
  return {
    docker: host.text('/etc/docker.conf') ?? '',
    kubelet: host.text('/etc/kubelet.conf') ?? '',
    real: host.text('/srv/real.conf') ?? '',
    made: host.text('/etc/made/for/it.conf'),
    gone: host.text('/etc/gone.conf'),
    knobs: [host.knob('irq'), host.knob('cpus')],
    etc: host.files(),
  };
}

function expectWhole(host: ModelHost, whole: Whole): void {
  expect(contents(host)).toEqual(whole);
  expect(host.files('srv')).toEqual(['real.conf']);
  expect(host.tree.link('/etc/link.conf')).toBe('../srv/real.conf');
  expect(host.unit('docker')).toMatchObject({ activeState: 'active', config: whole.docker });
  expect(host.unit('kubelet')).toMatchObject({ activeState: 'active', config: whole.kubelet });
}

/** At the moment of the kill: each file is the old one or the new one, also that of the intermediate state. */
function expectNoHalf(host: ModelHost): void {
  const now = contents(host);
  for (const name of ['kubelet', 'real', 'made', 'gone'] as const) expect([OLD[name], NEW[name]]).toContain(now[name]);
  expect(['cgroupfs\n', 'live-restore\n', 'systemd\n']).toContain(now.docker);
}

/** Whatever a program that reads `*.conf` or `*` would find of ours beside the files. */
function expectUnseen(host: ModelHost): void {
  const extra = readdirSync(join(host.root, 'etc')).filter((name) => !OLD.etc.includes(name) && name !== 'made');
  expect(extra.filter((name) => !/^\..*\.slicectl-[\d.-]+\.(new|old)$/.test(name))).toEqual([]);
}

function journalFolders(host: ModelHost): readonly string[] {
  const journal = join(host.root, 'var/lib/slicectl/journal');
  return existsSync(journal) ? readdirSync(journal) : [];
}

const ALL_CALLS = 400;

describe('SIGKILL at every write and every step', () => {
  it('of a change: undo brings back all of the old state, resume all of the new one', {
    timeout: 600_000,
  }, async () => {
    let at = 1;
    for (; at < ALL_CALLS; at += 1) {
      const host = fresh(`apply-${at}`);
      const outcome = run(host.root, 'apply', at);
      if (!outcome.killed) {
        expect(outcome.result).toEqual({ id: expect.any(String), state: 'applied', problems: [] });
        expectWhole(host, NEW);
        break;
      }
      expectNoHalf(host);
      expectUnseen(host);
      const other = copyOf(host, `apply-${at}-resume`);
      const back = await recover(host, 'undo', at);
      // Nothing to take back: the kill came before the plan was on the disk.
      if (back.code !== undefined) expect(back.code).toBe('E_HISTORY');
      else expect(back.result).toMatchObject({ state: 'undone', problems: [] });
      expectWhole(host, OLD);
      const on = await recover(other, 'resume', at);
      // Nothing to finish: the kill came before the change began, or after its end.
      if (on.code !== undefined) {
        expect(on.code).toBe('E_HISTORY');
        expectWhole(other, other.text('/etc/docker.conf') === NEW.docker ? NEW : OLD);
      } else {
        expect(on.result).toMatchObject({ state: 'applied', problems: [] });
        expectWhole(other, NEW);
      }
      for (const root of [host.root, other.root]) rmSync(root, { recursive: true });
    }
    expect(at).toBeGreaterThan(80);
    expect(at).toBeLessThan(ALL_CALLS);
  });

  it('of an undo: the next undo, or resume, finishes it', { timeout: 600_000 }, async () => {
    const applied = fresh('applied');
    expect(run(applied.root, 'apply').result?.state).toBe('applied');
    let at = 1;
    for (; at < ALL_CALLS; at += 1) {
      const host = copyOf(applied, `undo-${at}`);
      const outcome = run(host.root, 'undo', at);
      if (!outcome.killed) {
        expect(outcome.result).toMatchObject({ state: 'undone', problems: [] });
        expectWhole(host, OLD);
        break;
      }
      expectNoHalf(host);
      expectUnseen(host);
      const next = await recover(host, at % 2 === 0 ? 'undo' : 'resume', at);
      if (next.code === 'E_HISTORY') await recover(host, 'undo', at);
      expectWhole(host, OLD);
      rmSync(host.root, { recursive: true });
    }
    expect(at).toBeGreaterThan(40);
    expect(at).toBeLessThan(ALL_CALLS);
  });

  it('of the recovery, again and again: in the end all is old', { timeout: 600_000 }, () => {
    for (const first of [20, 45, 70]) {
      const host = fresh(`again-${first}`);
      expect(run(host.root, 'apply', first).killed).toBe(true);
      for (let at = 1; run(host.root, 'undo', at).killed; at += 3) expectNoHalf(host);
      expectWhole(host, OLD);
    }
  });

  it('leaves no folder in the journal for a change that never began', { timeout: 600_000 }, () => {
    const host = fresh('unbegun');
    let at = 1;
    while (run(host.root, 'apply', at).killed && !journalFolders(host).some((name) => name !== 'lock')) at += 1;
    expect(host.text('/etc/docker.conf')).toBe(OLD.docker);
    const outcome = run(host.root, 'apply');
    expect(outcome.result?.state).toBe('applied');
    expect(journalFolders(host).filter((name) => name !== 'lock')).toHaveLength(1);
  });
});
