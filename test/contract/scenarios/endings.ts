import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { SlicectlError } from '../../../src/index.ts';
import type { Scenario } from '../scenario.ts';

/** How jobs end and what is left of them. */
export const endings: readonly Scenario[] = [
  {
    name: 'even `true` gets exact CPU figures, and nothing of it stays',
    needs: [],
    run: async ({ launcher, remains }) => {
      const receipt = await (await launcher.launch('true')).result;
      assert.equal(receipt.status, 0);
      assert.equal(receipt.cause, 'exited with status 0');
      const { usageUsec } = receipt.figures.cpu;
      assert.ok(usageUsec !== null && usageUsec > 0n, `CPU time of true is ${usageUsec}`);
      assert.deepEqual(await remains(), []);
    },
  },
  {
    name: 'the exit status is the one of the command',
    needs: [],
    run: async ({ launcher }) => {
      const receipt = await (await launcher.launch('sh', ['-c', 'exit 42'])).result;
      assert.deepEqual(receipt.exit, { code: 42, signal: null });
      assert.equal(receipt.status, 42);
    },
  },
  {
    name: 'a death by signal N is 128+N and its cause names the signal',
    needs: [],
    run: async ({ launcher }) => {
      const receipt = await (await launcher.launch('sh', ['-c', 'kill -TERM $$'])).result;
      assert.equal(receipt.status, 143);
      assert.match(receipt.cause, /SIGTERM/);
    },
  },
  {
    name: 'RuntimeMaxSec ends the job and is named as the cause',
    needs: [],
    run: async ({ launcher, remains }) => {
      const job = await launcher.launch('sleep', ['600'], { limits: { RuntimeMaxSec: '1s' } });
      const receipt = await job.result;
      assert.equal(receipt.cause, 'ended by RuntimeMaxSec=1s');
      assert.equal(receipt.status, 143);
      assert.deepEqual(await remains(), []);
    },
  },
  {
    name: 'a job that ignores SIGTERM is killed after TimeoutStopSec',
    needs: [],
    run: async ({ launcher }) => {
      const limits = { RuntimeMaxSec: '4s', TimeoutStopSec: '1s' };
      const receipt = await (await launcher.launch('sh', ['-c', 'trap "" TERM; while :; do sleep 1; done'], { limits }))
        .result;
      assert.equal(receipt.exit.signal, 'SIGKILL');
      assert.match(receipt.cause, /RuntimeMaxSec/);
    },
  },
  {
    name: 'kill() ends the whole tree of processes',
    needs: [],
    run: async ({ launcher, folder, remains }) => {
      const script = `setsid sh -c 'trap "" TERM HUP; echo up > ${folder}/up; exec sleep 600' & wait; sleep 600`;
      const job = await launcher.launch('sh', ['-c', script]);
      await until(() => existsSync(`${folder}/up`));
      await job.kill('SIGKILL');
      const receipt = await job.result;
      assert.equal(receipt.leftRunning, 0);
      assert.equal(receipt.status, 137);
      assert.deepEqual(await remains(), []);
    },
  },
  {
    name: 'a job that is killed as soon as it runs ends',
    needs: [],
    run: async ({ launcher, remains }) => {
      // The kernel may drop its report of an end that follows a start so closely: not each time, so it takes some.
      for (let count = 0; count < 40; count += 1) {
        const job = await launcher.launch('sleep', ['600']);
        await job.kill('SIGKILL');
        assert.equal((await job.result).exit.signal, 'SIGKILL');
      }
      await until(async () => (await remains()).length === 0);
    },
  },
  {
    name: 'an AbortSignal kills the job and the receipt says so',
    needs: [],
    run: async ({ launcher, remains }) => {
      const controller = new AbortController();
      const job = await launcher.launch('sleep', ['600'], { signal: controller.signal });
      controller.abort();
      const receipt = await job.result;
      assert.equal(receipt.cause, 'killed: the caller aborted it');
      assert.deepEqual(await remains(), []);
    },
  },
  {
    name: 'an AbortSignal that fired before the launch lets nothing run',
    needs: [],
    run: async ({ launcher, folder, remains }) => {
      const launch = launcher.launch('touch', [`${folder}/ran`], { signal: AbortSignal.abort() });
      await assert.rejects(launch, (error) => error instanceof SlicectlError && error.code === 'E_ABORTED');
      assert.equal(existsSync(`${folder}/ran`), false);
      assert.deepEqual(await remains(), []);
    },
  },
  {
    name: 'processes that outlive the command go on, are awaited, or are killed, as asked',
    needs: [],
    run: async ({ launcher, remains }) => {
      const script = ['-c', 'sleep 3 & exit 0'];
      const left = await (await launcher.launch('sh', script, { leftover: 'leave' })).result;
      assert.equal(left.leftRunning, 1);
      const waited = await (await launcher.launch('sh', script, { leftover: 'wait' })).result;
      assert.equal(waited.leftRunning, 0);
      const killed = await (await launcher.launch('sh', ['-c', 'sleep 600 & exit 0'], { leftover: 'kill' })).result;
      assert.equal(killed.leftRunning, 0);
      await until(async () => {
        await launcher.sweep();
        return (await remains()).length === 0;
      });
    },
  },
  {
    name: 'arguments, environment and working directory arrive as they are',
    needs: [],
    run: async ({ launcher, folder }) => {
      const words = ['', 'a b', "it's", 'new\nline', '-x', '--', '$HOME', 'ü'];
      const script = 'pwd > out; printf "%s\\0" "$@" >> out; printf "%s" "$ODD" >> out';
      const env = { ...process.env, ODD: 'a=b c\nd' };
      await (await launcher.launch('sh', ['-c', script, 'sh', ...words], { cwd: folder, env })).result;
      assert.equal(
        readFileSync(`${folder}/out`, 'utf8'),
        `${folder}\n${words.map((word) => `${word}\0`).join('')}${env.ODD}`,
      );
    },
  },
  {
    name: 'forty jobs at once all get their receipts',
    needs: [],
    run: async ({ launcher, remains }) => {
      const jobs = Array.from(
        { length: 40 },
        async (_, index) => (await launcher.launch('sh', ['-c', `exit ${index}`])).result,
      );
      const receipts = await Promise.all(jobs);
      assert.deepEqual(
        receipts.map(({ status }) => status),
        Array.from({ length: 40 }, (_, index) => index),
      );
      assert.equal(new Set(receipts.map(({ unit }) => unit)).size, 40);
      await until(async () => (await remains()).length === 0);
    },
  },
  {
    name: 'a unit name in use is refused, and its job is left alone',
    needs: [],
    run: async ({ launcher, folder }) => {
      const unit = `contract-${process.pid}`;
      const first = await launcher.launch('sleep', ['600'], { unit });
      const second = launcher.launch('touch', [`${folder}/ran`], { unit });
      await assert.rejects(second, (error) => error instanceof SlicectlError && error.code === 'E_UNIT_EXISTS');
      assert.equal(existsSync(`${folder}/ran`), false);
      assert.equal(existsSync(`/proc/${first.pid}`), true);
      await first.kill('SIGKILL');
      await first.result;
    },
  },
  {
    name: 'a name is free again when its job has ended',
    needs: [],
    run: async ({ launcher }) => {
      const unit = `again-${process.pid}`;
      for (const status of [1, 2]) {
        const receipt = await (await launcher.launch('sh', ['-c', `exit ${status}`], { unit })).result;
        assert.equal(receipt.status, status);
        assert.equal(receipt.unit, `${unit}.scope`);
      }
    },
  },
];

/** Waits for a state that comes by itself; the runner's own deadline ends a wait in vain. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 20));
}
