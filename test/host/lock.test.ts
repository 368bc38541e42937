import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readHolder, takeLock } from '../../src/host/lock.ts';
import { HOST } from '../../src/host/paths.ts';

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slicectl-lock-'));
  path = join(folder, 'lock');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('is held by one, who is named to the others, and can be taken again after it', () => {
  const lock = takeLock(path, 'undo 20260101-000000', HOST);
  expect(readHolder(path, HOST)).toMatchObject({ title: 'undo 20260101-000000', pid: process.pid });
  expect(() => takeLock(path, 'another', HOST)).toThrow(
    expect.objectContaining({
      code: 'E_LOCKED',
      message: expect.stringContaining(`process ${process.pid}`),
      data: { holder: expect.objectContaining({ title: 'undo 20260101-000000' }) },
    }),
  );
  lock.release();
  expect(readHolder(path, HOST)).toBeUndefined();
  takeLock(path, 'another', HOST).release();
});

it('goes with a holder that was killed, though its name still stands in the file', async () => {
  const holder = spawn('flock', [path, 'sleep', '100'], { stdio: 'ignore', detached: true });
  await expect.poll(() => spawnSync('flock', ['-n', path, 'true']).status).toBe(1);
  const { pid = 0 } = holder;
  const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const startTime = line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const pidNamespace = /\d+/.exec(spawnSync('readlink', ['/proc/self/ns/pid'], { encoding: 'utf8' }).stdout)?.[0];
  const since = '2026-01-01T00:00:00.000Z';
  writeFileSync(path, JSON.stringify({ pid, startTime, pidNamespace, bootId, since, title: 'old work' }));
  expect(() => takeLock(path, 'mine', HOST)).toThrow(/process \d+, since 2026-01-01T00:00:00.000Z: "old work"/);
  const gone = once(holder, 'exit');
  process.kill(-pid, 'SIGKILL');
  await gone;
  expect(readHolder(path, HOST)).toBeUndefined();
  takeLock(path, 'mine', HOST).release();
});

it.each([
  '',
  '{',
  '[]',
  '{"pid":1}',
  '{"pid":1,"startTime":"x","pidNamespace":"1","bootId":"b","since":"s","title":"t"}',
])('is taken whatever stands in the file: %j', (text) => {
  writeFileSync(path, text);
  expect(readHolder(path, HOST)).toBeUndefined();
  takeLock(path, 'mine', HOST).release();
});
