import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Does `work` while no other process holds `path`. The lock is a flock of a child that lives as long as its
 * standard input, so it is released whatever becomes of this process.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => holder.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.once('error', reject);
    holder.once('close', (code) => reject(new Error(`lab: no lock on ${path} (flock ended with ${code})`)));
  });
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
