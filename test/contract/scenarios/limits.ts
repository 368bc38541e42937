import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlicectlError } from '../../../src/index.ts';
import type { Scenario } from '../scenario.ts';
import { until } from './endings.ts';

/** Grows by steps of 1 MB, up to 64 MB; perl is in every Debian. */
const ALLOCATE = 'my $x = ""; for (1..64) { $x .= "a" x 1048576 }';

/** That the kernel holds what was asked. */
export const limits: readonly Scenario[] = [
  {
    name: 'a busy loop under CPUQuota=50% uses 45 to 55 % of a CPU',
    needs: ['cpu'],
    run: async ({ launcher }) => {
      const job = await launcher.launch('sh', ['-c', 'while :; do :; done'], { limits: { CPUQuota: '50%' } });
      await sleep(500);
      // A host that is busy itself can starve the job in one window; the quota must hold in all of them.
      const shares: number[] = [];
      while (shares.length < 5 && (shares.at(-1) ?? 0) < 0.45) {
        const [from, start] = [job.stats().cpu.usageUsec ?? 0n, performance.now()];
        await sleep(3000);
        const used = Number((job.stats().cpu.usageUsec ?? 0n) - from) / 1000;
        shares.push(used / (performance.now() - start));
      }
      await job.kill('SIGKILL');
      const { throttling } = (await job.result).figures;
      assert.ok(Math.max(...shares) < 0.55 && (shares.at(-1) ?? 0) > 0.45, `used ${shares.join(', ')} of a CPU`);
      assert.ok((throttling.throttledPeriods ?? 0n) > 0n, 'was never throttled');
      assert.ok((throttling.throttledUsec ?? 0n) > 0n, 'has no throttled time');
    },
  },
  {
    name: 'an allocator that grows by 1 MB under 5 MB is killed and says so, and its parent shell survives',
    needs: ['memory'],
    run: async ({ launcher, folder, noSwap }) => {
      const script = `perl -e '${ALLOCATE}'; echo $? > ${folder}/status`;
      const limits = { MemoryMax: '5M', ...noSwap };
      const receipt = await (
        await launcher.launch('sh', ['-c', script], { limits, stdio: ['ignore', 'ignore', 'ignore'] })
      ).result;
      assert.equal(readFileSync(`${folder}/status`, 'utf8'), '137\n');
      assert.equal(receipt.status, 0);
      assert.deepEqual(
        receipt.events.map(({ kind, text }) => [kind, text.replace(/\(.*/, '')]),
        [['memory', 'killed: MemoryMax=5M of the job was reached ']],
      );
    },
  },
  {
    name: 'a command that the kernel kills for memory names MemoryMax as its cause',
    needs: ['memory'],
    run: async ({ launcher, noSwap }) => {
      const limits = { MemoryMax: '8M', ...noSwap };
      const receipt = await (await launcher.launch('perl', ['-e', ALLOCATE], { limits })).result;
      assert.equal(receipt.status, 137);
      assert.match(receipt.cause, /^killed: MemoryMax=8M of the job was reached/);
      const peak = receipt.figures.memory.peakBytes ?? 0n;
      assert.ok(peak > 7n << 20n && peak <= 8n << 20n, `peak is ${peak}`);
    },
  },
  {
    name: 'OOMPolicy=kill takes the shell along with the allocator',
    needs: ['memory'],
    also: ['v2'],
    run: async ({ launcher, folder, noSwap }) => {
      const limits = { MemoryMax: '8M', ...noSwap, OOMPolicy: 'kill' };
      const script = `perl -e '${ALLOCATE}'; touch ${folder}/survived`;
      const job = await launcher.launch('sh', ['-c', script], { limits }).catch((error: unknown) => error);
      // systemd 252 does not know OOMPolicy for scopes and must say so.
      if (job instanceof SlicectlError) return assert.equal(job.code, 'E_CONTROLLER');
      const receipt = await (job as Awaited<ReturnType<typeof launcher.launch>>).result;
      assert.equal(receipt.exit.signal, 'SIGKILL');
      assert.equal(existsSync(`${folder}/survived`), false);
    },
  },
  {
    name: 'TasksMax=8 refuses the ninth process and the receipt counts it',
    needs: ['pids'],
    run: async ({ launcher }) => {
      const script = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 600 & done; wait';
      const job = await launcher.launch('sh', ['-c', script], {
        limits: { TasksMax: 8 },
        leftover: 'kill',
        stdio: ['ignore', 'ignore', 'ignore'],
      });
      const receipt = await job.result;
      assert.notEqual(receipt.status, 0);
      assert.ok((receipt.figures.tasks.refusedForks ?? 0n) >= 1n, `refused ${receipt.figures.tasks.refusedForks}`);
      assert.ok(
        receipt.events.some(({ kind, text }) => kind === 'tasks' && /by TasksMax=8$/.test(text)),
        JSON.stringify(receipt.events),
      );
      const { peak } = receipt.figures.tasks;
      assert.ok(peak === null ? receipt.figures.unavailable['tasks.peak'] : peak <= 8n, `peak is ${peak}`);
    },
  },
  {
    name: 'AllowedCPUs=0 shows in Cpus_allowed_list of the job',
    needs: ['cpuset'],
    run: async ({ launcher, folder }) => {
      await (
        await launcher.launch('sh', ['-c', `grep Cpus_allowed_list /proc/self/status > ${folder}/out`], {
          limits: { AllowedCPUs: '0' },
        })
      ).result;
      assert.equal(readFileSync(`${folder}/out`, 'utf8'), 'Cpus_allowed_list:\t0\n');
    },
  },
  {
    name: 'a limit of the slice binds the jobs in it and is named as the cause',
    needs: ['memory'],
    run: async ({ launcher, slice }) => {
      const name = await slice('contractlimit.slice', { MemoryMax: '16M', TasksMax: '30' });
      const receipt = await (await launcher.launch('perl', ['-e', ALLOCATE], { slice: name })).result;
      assert.equal(receipt.status, 137);
      assert.match(receipt.cause, /^killed: the memory limit of slice contractlimit\.slice was reached/);
      const bound = receipt.limits.find((limit) => limit.name === 'MemoryMax');
      assert.equal(bound?.inForce, '16M');
      assert.match(bound?.heldBy ?? '', /contractlimit\.slice$/);
    },
  },
  {
    name: 'a limit that a tighter slice makes meaningless is refused before anything runs',
    needs: ['memory', 'pids'],
    run: async ({ launcher, slice, folder, remains }) => {
      const name = await slice('contracttight.slice', { MemoryMax: '16M', TasksMax: '30' });
      for (const limits of [{ MemoryMax: '1G' }, { TasksMax: 100 }]) {
        const launch = launcher.launch('touch', [`${folder}/ran`], { slice: name, limits });
        await assert.rejects(
          launch,
          (error) =>
            error instanceof SlicectlError && error.code === 'E_NOT_IN_FORCE' && /contracttight/.test(error.message),
        );
      }
      assert.equal(existsSync(`${folder}/ran`), false);
      assert.deepEqual(await remains(), []);
      const receipt = await (
        await launcher.launch('true', [], { slice: name, limits: { MemoryMax: '1G' }, bestEffort: true })
      ).result;
      assert.equal(receipt.limits.find((limit) => limit.name === 'MemoryMax')?.inForce, '16M');
      assert.equal(receipt.notes.length, 1);
    },
  },
  {
    name: 'set() raises and lowers limits of the running job, and the kernel holds them',
    needs: ['memory', 'pids', 'cpu'],
    run: async ({ launcher }) => {
      const job = await launcher.launch('sleep', ['600'], {
        limits: { MemoryMax: '64M', TasksMax: 8, CPUQuota: '50%' },
      });
      await job.set({ MemoryMax: '128M', TasksMax: 16, CPUQuota: '80%' });
      await job.set({ MemoryMax: '32M', TasksMax: 4, CPUQuota: '20%' });
      await assert.rejects(
        job.set({ RuntimeMaxSec: '1s' }),
        (error) => error instanceof SlicectlError && error.code === 'E_INPUT',
      );
      await job.kill('SIGKILL');
      assert.equal((await job.result).status, 137);
    },
  },
  {
    name: 'a frozen job uses no CPU until it is thawed',
    needs: [],
    also: ['freezer'],
    run: async ({ launcher }) => {
      const job = await launcher.launch('sh', ['-c', 'while :; do :; done']);
      await until(() => (job.stats().cpu.usageUsec ?? 0n) > 50_000n);
      await job.freeze();
      const before = job.stats().cpu.usageUsec ?? 0n;
      await sleep(500);
      assert.equal(job.stats().cpu.usageUsec, before);
      await job.thaw();
      await until(() => (job.stats().cpu.usageUsec ?? 0n) > before);
      await job.kill('SIGKILL');
      assert.equal((await job.result).status, 137);
    },
  },
  {
    name: 'a frozen job can be killed',
    needs: [],
    also: ['freezer'],
    run: async ({ launcher, remains }) => {
      const job = await launcher.launch('sleep', ['600']);
      await job.freeze();
      await job.kill('SIGKILL');
      assert.equal((await job.result).status, 137);
      assert.deepEqual(await remains(), []);
    },
  },
  {
    name: 'the receipt has peak memory within a megabyte of what was touched',
    needs: ['memory'],
    run: async ({ launcher }) => {
      const receipt = await (
        await launcher.launch('perl', ['-e', 'my $x = "a" x (20*1048576); $x .= "b"'], {
          limits: { MemoryMax: '256M' },
        })
      ).result;
      const peak = Number(receipt.figures.memory.peakBytes) / 1048576;
      assert.ok(peak > 20 && peak < 64, `peak is ${peak} MB`);
    },
  },
  {
    name: 'bytes written to a disk are counted, and IOWriteBandwidthMax slows them down',
    needs: ['io'],
    also: ['disk'],
    run: async ({ launcher, disk }) => {
      const script = `dd if=/dev/zero of=${disk?.folder}/contract bs=64k count=32 oflag=direct 2>/dev/null; rm ${disk?.folder}/contract`;
      const limits = { IOWriteBandwidthMax: `${disk?.device} 1M` };
      const receipt = await (await launcher.launch('sh', ['-c', script], { limits })).result;
      assert.ok((receipt.figures.io.writeBytes ?? 0n) >= 2_097_152n, `wrote ${receipt.figures.io.writeBytes}`);
      assert.ok(receipt.wallUsec > 1_000_000n, `2 MiB at 1 MB/s took ${receipt.wallUsec} µs`);
    },
  },
  {
    name: 'pressure totals are told for each job',
    needs: [],
    also: ['v2'],
    run: async ({ launcher }) => {
      const { pressure, unavailable } = (await (await launcher.launch('true')).result).figures;
      const missing = Object.keys(unavailable).some((key) => key.startsWith('pressure'));
      assert.ok(missing || (pressure.cpuUsec !== null && pressure.memoryUsec !== null && pressure.ioUsec !== null));
    },
  },
  {
    name: 'limitsEnv tells the job what it may use and leaves the caller alone',
    needs: ['cpu', 'memory'],
    run: async ({ launcher, folder }) => {
      const env = { PATH: process.env.PATH, GOMAXPROCS: '7' };
      const options = { limits: { CPUQuota: '100%', MemoryMax: '100M' }, limitsEnv: true, env };
      await (await launcher.launch('sh', ['-c', `env > ${folder}/out`], options)).result;
      const told = new Map(
        readFileSync(`${folder}/out`, 'utf8')
          .split('\n')
          .map((line) => line.split(/=(.*)/s) as [string, string]),
      );
      assert.equal(told.get('OMP_NUM_THREADS'), '1');
      assert.equal(told.get('GOMAXPROCS'), '7');
      assert.equal(told.get('GOMEMLIMIT'), '94371840');
      assert.equal(told.get('MAKEFLAGS'), '-j1');
    },
  },
];
