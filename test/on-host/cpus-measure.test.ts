import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { buildSync } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { percentileNs } from '../../src/cpus/measure/distribution.ts';
import { measureJitter } from '../../src/cpus/measure/measure.ts';
import { PROBE_NODE_FLAGS } from '../../src/cpus/measure/probe.ts';
import { HOST } from '../../src/host/paths.ts';
import { readTasks } from '../../src/host/tasks.ts';
import { readTopology } from '../../src/host/topology.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const outdir = join(ROOT, 'node_modules/.cache/slicectl-test', `probe-${process.pid}`);
afterAll(() => rmSync(outdir, { recursive: true, force: true }));
buildSync({
  entryPoints: [join(ROOT, 'src/cli/probe.ts')],
  outdir,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  outExtension: { '.js': '.mjs' },
});
const PROBE = [process.execPath, ...PROBE_NODE_FLAGS, join(outdir, 'probe.mjs')];

const request = {
  paths: HOST,
  topology: readTopology(HOST),
  targets: [{ cpu: 0, role: 'system', slice: undefined }] as const,
  reservation: undefined,
  seconds: 1,
  limitUs: 100,
  fifo: false,
  probe: PROBE,
  env: process.env,
};

const allowed = readTasks(HOST).find(({ tid }) => tid === process.pid)?.allowed ?? [];

describe.skipIf(!allowed.includes(0))(
  'a probe on CPU 0 of this machine (which the tests must be allowed to use)',
  () => {
    it('counts every deadline, with percentiles that rise, and says what it is', async () => {
      const { cpus, machine } = await measureJitter(request);
      const [cpu] = cpus;
      if (!cpu) throw new Error('nothing was measured');
      expect(cpu.late.count).toBe(1000);
      expect(cpu.late.buckets.reduce((sum, [, count]) => sum + count, 0)).toBe(1000);
      const rising = [cpu.late.minNs, ...[500, 990, 999].map((p) => percentileNs(cpu.late, p)), cpu.late.maxNs];
      expect(rising).toEqual(rising.toSorted((a, b) => a - b));
      expect(cpu.gap.watchedNs).toBeGreaterThan(0);
      expect(cpu.floor.clockNs).toBeGreaterThanOrEqual(0);
      expect(cpu.floor.wakeNs).toBeGreaterThan(0);
      expect(cpu.allowed).toEqual([0]);
      expect(cpu.scheduling).toBe('normal');
      expect(machine.cpusOnline).toBe(request.topology.online.length);
    });

    it('says in words that a program which is no probe did not run', async () => {
      await expect(
        measureJitter({ ...request, probe: [process.execPath, '-e', 'process.exit(7)'] }),
      ).rejects.toMatchObject({ code: 'E_GATE', message: 'the probe of CPU 0 did not run: exit status 7' });
    });

    it('says that it was ended, and leaves no probe', async () => {
      const ending = new AbortController();
      const measured = measureJitter({
        ...request,
        seconds: 3600,
        signal: ending.signal,
        onProgress: (text) => {
          if (text.startsWith('measures')) ending.abort();
        },
      });
      await expect(measured).rejects.toMatchObject({ code: 'E_ABORTED' });
      const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
      expect(left.filter((line) => line.includes(outdir))).toEqual([]);
    });
  },
);
