import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NO_V1, NO_V2, openGround } from './cgroup-ground.ts';

const MAKERS = 4;
const JOBS = 30;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/slicectl-race-`);
  buildSync({
    entryPoints: [new URL('./cgroup-owner.ts', import.meta.url).pathname],
    outfile: `${folder}/owner.mjs`,
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

function maker(order: object): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [`${folder}/owner.mjs`, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (data) => {
      out += data;
    });
    child.on('close', () => resolve(out));
    child.stdin.write('\n');
  });
}

for (const version of [1, 2] as const) {
  const reason = version === 1 ? NO_V1 : NO_V2;
  it.skipIf(reason)(
    `makers that share a slice and sweep at the same time lose no job, v${version}${reason ? `: ${reason}` : ''}`,
    async () => {
      const ground = openGround(version);
      const main = ground.folder(version === 1 ? 'freezer' : 'v2');
      const job = { slice: 'p-q.slice', limits: version === 1 ? { TasksMax: '50' } : {}, script: 'exit 0' };
      const jobs = Array.from({ length: JOBS }, () => job);
      const order = { version, base: `/${main.split('/').at(-1)}`, jobs, tidy: true, sweeps: true };
      const answers = await Promise.all(Array.from({ length: MAKERS }, () => maker(order)));
      for (const answer of answers) {
        const { error, removed } = JSON.parse(answer);
        expect(error).toBeUndefined();
        expect(removed).toEqual(jobs.map(() => true));
      }
      expect(existsSync(`${main}/p.slice`)).toBe(false);
      await ground.close();
    },
  );
}
