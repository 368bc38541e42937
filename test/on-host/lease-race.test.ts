import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let root = '';
let taker = '';
const children: ChildProcess[] = [];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'slicectl-lease-race-'));
  taker = join(root, 'taker.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'lease-taker.ts')],
    outfile: taker,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

/** Starts a taker, which holds what it gets until it is killed; resolves with what it got. */
async function take(folder: string): Promise<{ child: ChildProcess; got: string }> {
  const child = spawn(process.execPath, [taker, folder, '1', 'keep'], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, got: String(line) };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.signalCode === null) await once(child, 'exit');
}

describe('processes that lease cores at the same time', () => {
  it('get four of four cores once each, and four refusals', async () => {
    const folder = join(root, 'a/leases');
    const all = await Promise.all(Array.from({ length: 8 }, () => take(folder)));
    const got = all.map((one) => one.got).sort();
    const refused = Array.from({ length: 4 }, () => 'refused E_REFUSED');
    expect(got).toEqual([...refused, 'take 0-1', 'take 2-3', 'take 4-5', 'take 6-7']);
    for (const { child } of all) await kill(child);
  }, 120_000);

  it('get the core of one that was killed', async () => {
    const folder = join(root, 'b/leases');
    const first = [await take(folder), await take(folder), await take(folder), await take(folder)];
    expect((await take(folder)).got).toBe('refused E_REFUSED');
    const victim = first.find(({ got }) => got === 'take 4-5');
    if (victim) await kill(victim.child);
    expect((await take(folder)).got).toBe('take 4-5');
    expect(readdirSync(folder).filter((name) => name !== 'lock')).toHaveLength(4);
  }, 120_000);
});
